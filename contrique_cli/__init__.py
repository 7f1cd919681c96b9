"""contrique scores photo collections for technical quality; `Scorer` is its Python side.

Importing the package loads nothing; the first use of `Scorer` loads PyTorch.
"""

import importlib
from typing import TYPE_CHECKING, Any

from contrique_cli.version import __version__

if TYPE_CHECKING:
    from contrique_cli.scoring.api import Score, Scorer

__all__ = ["Score", "Scorer", "__version__"]


def __getattr__(name: str) -> Any:
    """The names of `api`, when they are first asked for."""
    if name in ("Score", "Scorer"):
        return getattr(importlib.import_module("contrique_cli.scoring.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
