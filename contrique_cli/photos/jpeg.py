"""How a JPEG file is laid out: its scans, its end, and what in them no encoder writes."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import numpy as np

from contrique_cli.errors import Refused

SIGNATURE = b"\xff\xd8\xff"

MAX_SCANS = 100
"""Scans beyond which a file is refused: encoders write up to some 20, and each costs a pass."""

ZEROS = bytes(128)
"""Zero bytes in a row that the codes of a picture do not give; see `Scan.may_be_zeros`."""

_MARKER = 0xFF
_SOI, _EOI, _SOS, _DHT, _TEM = 0xD8, 0xD9, 0xDA, 0xC4, 0x01
_RST = range(0xD0, 0xD8)
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {_DHT, 0xC8, 0xCC}
_BETWEEN = {_DHT, 0xDA, 0xDB, 0xDC, 0xDD, 0xFE, *range(0xE0, 0xF0)}
"""Markers that may stand between two scans, beside the end."""

_KEPT = (0xE0, 0xEE)
"""Segments of applications that tell how colours are stored: JFIF's and Adobe's."""

_APPLICATIONS = {*range(0xE0, 0xF0), 0xFE}
_TAIL, _STEP = 512, 32  # bytes before the end that are handed out in steps, and a step


@dataclass(frozen=True)
class Scan:
    """Compressed samples.

    Attributes:
        start, end: of them in the file, in bytes.
        may_be_zeros: whether zero bits say "as before", as they do in flat parts of a picture.
    """

    start: int
    end: int
    may_be_zeros: bool


@dataclass
class Layout:
    """What the markers of a file tell.

    Attributes:
        scans: in order.
        end: where the end of the picture is marked, in bytes; the file's own where it is not.
        is_progressive: whether it is built up by several scans.
        is_ended: whether its end is marked.
        strays: markers that no encoder writes at their place.
    """

    scans: list[Scan] = field(default_factory=list)
    end: int = 0
    is_progressive: bool = False
    is_ended: bool = False
    strays: int = 0


def parse(data: bytes) -> Layout:
    """Read the markers, up to the end of the first picture.

    Raises:
        Refused: more than `MAX_SCANS` scans.
    """
    codes = np.frombuffer(data, np.uint8)
    marks = np.flatnonzero(codes[:-1] == _MARKER)
    kinds = codes[marks + 1]
    is_real = (kinds != 0) & (kinds != _MARKER)
    marks, kinds = marks[is_real], kinds[is_real]
    is_restart = (kinds >= _RST.start) & (kinds < _RST.stop)
    restarts, order = marks[is_restart], kinds[is_restart]
    marks, kinds = marks[~is_restart], kinds[~is_restart]
    found = Layout(end=len(data))
    first: dict[int, int] = {}  # of each table: what the code of zeros alone says
    at = 2
    while True:
        index = int(np.searchsorted(marks, at))
        if index == len(marks):
            return found
        at, kind = int(marks[index]), int(kinds[index])
        if kind == _EOI:
            found.end, found.is_ended = at, True
            return found
        if found.scans and kind not in _BETWEEN:
            found.strays += 1
        if kind in (_SOI, _TEM) or (found.scans and kind not in _BETWEEN):
            at += 2
            continue
        segment = data[at + 4 : at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")]
        at += 4 + len(segment)
        if kind in _FRAMES:
            found.is_progressive = kind in _PROGRESSIVE
        elif kind == _DHT:
            first |= _zero_codes(segment)
        elif kind == _SOS:
            following = int(np.searchsorted(marks, at))
            end = int(marks[following]) if following < len(marks) else len(data)
            inside = order[np.searchsorted(restarts, at) : np.searchsorted(restarts, end)]
            found.strays += int(((np.diff(inside.astype(int)) % 8) != 1).sum())
            found.scans.append(Scan(at, end, _may_be_zeros(segment, first, found)))
            if len(found.scans) > MAX_SCANS:
                raise Refused(
                    f"a JPEG of more than {MAX_SCANS} scans, which no camera writes and which "
                    "takes minutes to decode: save it anew"
                )
            at = end


def without_extras(data: bytes) -> bytes:
    """The file without comments and applications' segments, but for what tells the colours."""
    parts, at = [data[:2]], 2
    while at + 4 <= len(data) and data[at] == _MARKER and data[at + 1] != _SOS:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] in _KEPT or data[at + 1] not in _APPLICATIONS:
            parts.append(data[at:end])
        at = end
    return b"".join([*parts, data[at:]])


class Feed(io.BytesIO):
    """A file that is handed out in small steps near its end, so that `tell` says what was needed.

    Args:
        data: the file.
        end: see `Layout`.
    """

    def __init__(self, data: bytes, end: int) -> None:
        super().__init__(data)
        self._end = end

    def read(self, size: int | None = -1, /) -> bytes:
        """As any file, but `_STEP` bytes at most in the last `_TAIL`."""
        at = self.tell()
        if size is None or size <= _STEP:
            return super().read(size)
        if at < self._end - _TAIL:
            return super().read(min(size, self._end - _TAIL - at))
        return super().read(min(size, _STEP))


def _zero_codes(segment: bytes) -> dict[int, int]:
    """Of each Huffman table in a segment, by class and number, the symbol of the code 0...0."""
    found, at = {}, 0
    while at + 17 < len(segment):
        found[segment[at]] = segment[at + 17]
        at += 17 + sum(segment[at + 1 : at + 17])
    return found


def _may_be_zeros(segment: bytes, first: dict[int, int], layout: Layout) -> bool:
    """Whether a scan's zero bits can say "nothing new" for block after block."""
    count = segment[0] if segment else 0
    if len(segment) < 4 + 2 * count:
        return False
    start, approximation = segment[1 + 2 * count], segment[3 + 2 * count]
    tables = [segment[2 + 2 * index] for index in range(count)]
    steady = all(first.get(table >> 4) == 0 for table in tables)
    if layout.is_progressive:
        return start == 0 and (approximation >> 4 > 0 or steady)
    return steady and all(first.get(0x10 | table & 15) == 0 for table in tables)
