"""Which encoder and regressor: the bundled ones, those in the user's data folder, or a path."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from contrique_cli.encoder import checkpoint
from contrique_cli.errors import CannotWrite, UnknownModel
from contrique_cli.files.reading import exists, why
from contrique_cli.models import installed as model_installed
from contrique_cli.models.installed import SUFFIX, Installed, user_folder

if TYPE_CHECKING:
    from contrique_cli.encoder.model import Contrique

DEFAULT = "default"
_BUNDLED = model_installed.BUNDLED


def installed(kind: str | None = None) -> Iterator[Installed]:
    """Every model file by name, the bundled ones first."""
    return model_installed.installed(kind, _BUNDLED)


def is_installed(kind: str, name: str) -> bool:
    """Whether it is found by this name, wherever it is asked for."""
    return any(one.name == name for one in installed(kind))


def locate(kind: str, name: str) -> Path:
    """The file behind a name or a path.

    Args:
        kind: `checkpoint.KIND` or `regressor.KIND`.
        name: an installed name, or a path (anything with a separator or suffix, or that exists).

    Raises:
        UnknownModel: no such name; lists those there are.
    """
    found = next((one.path for one in installed(kind) if one.name == name), None)
    if found is not None:
        return found
    path = Path(name)
    if exists(path) and path.is_file():
        return path
    if _is_path(name):
        raise UnknownModel(f"{kind} {name}: no such file")
    names = ", ".join(one.name for one in installed(kind)) or "none"
    raise UnknownModel(f"no {kind} is called {name!r}; there is: {names} (or give a file)")


def destination(kind: str, name: str) -> Path:
    """Where a new model of this name, or at this path, is to be written.

    Raises:
        UnknownModel: the name is that of a bundled model.
        CannotWrite: the user's folder for models cannot be made.
    """
    if _is_path(name):
        return Path(name)
    if any(one.name == name and one.is_bundled for one in installed(kind)):
        raise UnknownModel(f"{name!r} is the name of a bundled {kind}; choose another")
    folder = user_folder() / f"{kind}s"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(
            f"{user_folder()} cannot be made ({why(error)}); set XDG_DATA_HOME to a "
            "folder that can be written"
        ) from error
    return folder / f"{name}{SUFFIX}"


def _is_path(name: str) -> bool:
    return name != Path(name).name or Path(name).suffix.lower() == SUFFIX


def load_encoder(name: str | None = None) -> tuple[Contrique, checkpoint.EncoderInfo]:
    """An encoder by name or path; the bundled one by default."""
    return checkpoint.load(locate(checkpoint.KIND, name or DEFAULT))
