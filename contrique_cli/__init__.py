"""contrique scores photo collections for technical quality; `Scorer` is its Python side.

Importing the package loads nothing; the first use of `Scorer` loads PyTorch, that of `read_report`
pandas.
"""

import importlib
from typing import TYPE_CHECKING, Any

from contrique_cli.version import __version__

if TYPE_CHECKING:
    from contrique_cli.reports.frames import read_report
    from contrique_cli.scoring.api import Score, Scorer

__all__ = ["Score", "Scorer", "__version__", "read_report"]

_ROOMS = {
    "Score": "contrique_cli.scoring.api",
    "Scorer": "contrique_cli.scoring.api",
    "read_report": "contrique_cli.reports.frames",
}


def __getattr__(name: str) -> Any:
    """The names that are public, when they are first asked for."""
    if name in _ROOMS:
        return getattr(importlib.import_module(_ROOMS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
