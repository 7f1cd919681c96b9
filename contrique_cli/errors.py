"""The tree of everything a user can mend: each message says what, where and what to do next."""

from __future__ import annotations

import re
from pathlib import Path


class ContriqueError(Exception):
    """Something the user can mend; the command line prints it as `error: ...` and exits with 1."""


class BadOption(ContriqueError):
    """An option has a value that cannot be used; the command line exits with 2."""


class NoImagesFound(ContriqueError):
    """The paths given hold no photo."""


class Unreadable(ContriqueError):
    """One photo cannot be used; in a run over many it becomes a row of the report.

    Args:
        path: the photo, as the user named it.
        reason: why, in a few words, without the path.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class Refused(Exception):
    """Why a photo cannot be used, in a few words; `opening` adds which: see `Unreadable`."""


class BadModelFile(ContriqueError):
    """A model or regressor file is damaged, foreign or of a format this version does not know."""


class RefusedPickle(BadModelFile):
    """A pickle asks for something that a checkpoint or a ridge regressor does not need."""


class UnknownModel(ContriqueError):
    """No installed model or regressor has that name."""


class RegressorMismatch(ContriqueError):
    """The regressor was fitted on features of another encoder or another working size."""


class UnknownDevice(ContriqueError):
    """The device asked for does not exist on this machine."""


class BadLabels(ContriqueError):
    """The table of opinion scores cannot be used as it is."""


class BadTrainingData(ContriqueError):
    """Too few photos, or too small, to pre-train on."""


class BadRun(ContriqueError):
    """A training run cannot start, go on or be resumed."""


class CannotWrite(ContriqueError):
    """An output file cannot be written."""


class MissingExtra(ContriqueError):
    """An optional package is needed for what was asked."""


class BadSidecar(ContriqueError):
    """An XMP sidecar cannot be understood well enough to change it; it is left alone."""


class BadReport(ContriqueError):
    """A report, or an undo file, cannot be read back."""


class ShardError(ContriqueError):
    """A shard, a result or their folder cannot be used now; running again tries again."""


class ClusterError(ContriqueError):
    """A Ray cluster cannot do the work."""


class DamagedShard(ContriqueError):
    """A shard's own bytes are wrong; running again does not help."""


_NO_MEMORY = re.compile(
    r"out of memory|allocate memory|enough memory|insufficient memory|bad_alloc|unable to mmap"
    r"|could not (create|execute) a |_ALLOC_FAILED|start new thread"
    r"|failed to map segment from shared object$",
    re.IGNORECASE,
)
"""What the system, PyTorch and the libraries beneath it say where memory runs out."""


def lacks_memory(error: BaseException) -> bool:
    """Whether memory ran out: few libraries raise a MemoryError."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError | OSError | ImportError)
        and _NO_MEMORY.search(str(error)) is not None
    )
