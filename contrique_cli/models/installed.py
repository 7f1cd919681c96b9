"""Where model files lie and what they are called: names without opening a file, light to import."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs

ENCODER, REGRESSOR, FLAW = "encoder", "regressor", "flaw"
SUFFIX = ".safetensors"
BUNDLED = Path(__file__).parent / "bundled"


@dataclass(frozen=True, kw_only=True)
class Installed:
    """One model file that can be asked for by name.

    Attributes:
        kind: `ENCODER`, `REGRESSOR` or `FLAW`, a flaw probe.
        name: what --model or --regressor takes; a flaw probe comes with its encoder.
        path: where it lies.
        is_bundled: whether it came with the package.
    """

    kind: str
    name: str
    path: Path
    is_bundled: bool


def user_folder() -> Path:
    """Where imported and fitted models live; made when first needed."""
    return platformdirs.user_data_path("contrique", appauthor=False)


def installed(kind: str | None = None, bundled: Path = BUNDLED) -> Iterator[Installed]:
    """Every model file by name, the bundled ones first.

    Args:
        kind: `ENCODER`, `REGRESSOR` or `FLAW`; None for all.
        bundled: folder of those that came with the package.
    """
    for folder, is_bundled in ((bundled, True), (user_folder(), False)):
        for one in (ENCODER, REGRESSOR, FLAW):
            if kind in (None, one):
                for path in _files(folder / f"{one}s"):
                    yield Installed(kind=one, name=path.stem, path=path, is_bundled=is_bundled)


def _files(folder: Path) -> list[Path]:
    """Model files in a folder, by name; none where it is not there or may not be entered."""
    try:
        return sorted(folder.glob(f"*{SUFFIX}"))
    except OSError:
        return []
