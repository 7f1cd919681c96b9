"""The official CONTRIQUE files that users own: what they are called, mean and begin with.

They carry no licence: they are converted on the user's machine, and never shipped.
"""

from __future__ import annotations

import os
import pickletools
import warnings
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from contrique_cli.errors import BadModelFile, Unreadable
from contrique_cli.files import reading
from contrique_cli.files.reading import why
from contrique_cli.models.official import pickles

CHECKPOINT = "official checkpoint"
RIDGE = "official regressor"
OURS = "contrique file"
"""What `recognise` finds."""

LICENCE = "none: published without a licence, so for your own use only; not to be passed on"


@dataclass(frozen=True, kw_only=True)
class Published:
    """What a published regressor predicts.

    Attributes:
        meaning: in words, for the provenance.
        lower_is_better: whether it is a DMOS.
        low, high: ends of the opinion scale.
        is_full_reference: whether its features are differences to a reference.
        scale_source: where `low` and `high` come from.
    """

    meaning: str
    lower_is_better: bool
    low: float
    high: float
    is_full_reference: bool = False
    scale_source: str = "known from the data set"


PUBLISHED = {
    "clive": Published(meaning="MOS of CLIVE", lower_is_better=False, low=0, high=100),
    "koniq": Published(
        meaning="MOS of KonIQ-10k",
        lower_is_better=False,
        low=0,
        high=100,
        scale_source="assumed, since the regressor comes without a word on it",
    ),
    "live": Published(meaning="DMOS of LIVE", lower_is_better=True, low=0, high=100),
    "csiq": Published(meaning="DMOS of CSIQ", lower_is_better=True, low=0, high=1),
    "live_fr": Published(
        meaning="DMOS of LIVE", lower_is_better=True, low=0, high=100, is_full_reference=True
    ),
    "csiq_fr": Published(
        meaning="DMOS of CSIQ", lower_is_better=True, low=0, high=1, is_full_reference=True
    ),
}
"""The published regressors by the stem of the file's name, in lower case."""

UNKNOWN = Published(meaning="not stated", lower_is_better=False, low=0, high=100)
"""What holds of a regressor of another name, before the user says what it predicts."""


# ------------------------------------------------------------------------------ recognising

ZIP = b"PK\x03\x04"
"""What a zip archive begins with: the format of torch since 1.6."""

_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""A pickled number that every file of torch before 1.6 begins with."""
_PICKLE = b"\x80"
_HEADER_LENGTH_BYTES = 8


def recognise(path: Path) -> str:
    """Which kind of file it is, by its content and whatever its name.

    Returns:
        `CHECKPOINT`, `RIDGE`, or `OURS` for any safetensors file.

    Raises:
        BadModelFile: none of them; says what it is instead.
    """
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(512)
        # First, since the length of a header may begin with the byte that pickles begin with.
        length = int.from_bytes(head[:_HEADER_LENGTH_BYTES], "little")
        if head[_HEADER_LENGTH_BYTES : _HEADER_LENGTH_BYTES + 1] == b"{" and length < size:
            return OURS
        if head.startswith((ZIP, _LEGACY)):
            return CHECKPOINT
        if head.startswith(_PICKLE):
            return RIDGE
        if head[257:262] == b"ustar":
            raise BadModelFile(
                f"{path} is a real tar archive, which the official checkpoint is not, despite its "
                "name: if it was packed up, unpack it and import what is inside; the tar format "
                "that torch wrote before 2017 is not read"
            )
        file.seek(0)
        if size <= pickles.SIZE_LIMIT and _is_old_pickle(file.read()):
            return RIDGE  # to be refused by the name of what it asks for
    raise BadModelFile(
        f"{path} is no official CONTRIQUE file (CONTRIQUE_checkpoint25.tar, CLIVE.save, "
        "Koniq.save, LIVE.save, CSIQ.save, LIVE_FR.save, CSIQ_FR.save) and no file of contrique"
    )


def opened(path: Path) -> BufferedReader:
    """Open a regular file, never blocking on a pipe.

    Raises:
        BadModelFile: it is no such file, empty, or cannot be read.
    """
    try:
        return reading.opened(path)
    except Unreadable as problem:
        raise BadModelFile(f"{path} cannot be imported: {problem.reason}") from problem
    except (OSError, ValueError) as error:
        raise BadModelFile(f"{path} cannot be read: {why(error)}") from error


def _is_old_pickle(data: bytes) -> bool:
    """Whether all of it is one pickle of protocol 0 or 1, which have no mark of their own."""
    position: int | None = 0
    try:
        with warnings.catch_warnings(action="ignore"):  # about odd escapes in what may be any text
            for _, _, position in pickletools.genops(data):  # noqa: B007 - the last is wanted
                pass
    except ValueError:
        return False
    return position == len(data) - 1 and position > 0
