"""What the shell may complete: values of options, without opening a model or loading PyTorch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from contrique_cli import config
from contrique_cli.models import installed


def one_of(words: Iterable[str]) -> Callable[[str], list[str]]:
    """A completer for an option that takes one of a few words."""

    def complete(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return complete


FORMATS = one_of(config.FORMATS)
DEVICE = one_of(("cpu", "cuda", "mps"))
PRECISION = one_of(config.PRECISIONS)


def models(incomplete: str) -> list[str]:
    """Encoders by name, or files once a folder is typed."""
    return _named(installed.ENCODER, incomplete)


def regressors(incomplete: str) -> list[str]:
    """Regressors by name, or files once a folder is typed."""
    return _named(installed.REGRESSOR, incomplete)


def _named(kind: str, incomplete: str) -> list[str]:
    if os.sep in incomplete:
        return sorted(_files(incomplete))
    names = {one.name for one in installed.installed(kind)}
    return sorted(name for name in names if name.startswith(incomplete))


def _files(incomplete: str) -> Iterator[str]:
    """Model files and folders that begin so, folders with a separator to go on from."""
    folder, _, start = incomplete.rpartition(os.sep)
    try:
        entries = list(os.scandir(Path(f"{folder}{os.sep}").expanduser()))
    except (OSError, RuntimeError):  # or there is no home folder
        return
    for entry in entries:
        if entry.name.startswith(start) and not entry.name.startswith("."):
            if entry.is_dir():
                yield f"{folder}{os.sep}{entry.name}{os.sep}"
            elif entry.name.endswith(installed.SUFFIX):
                yield f"{folder}{os.sep}{entry.name}"
