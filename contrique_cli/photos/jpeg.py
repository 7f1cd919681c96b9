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
_SOI, _EOI, _SOS, _DHT, _DRI, _TEM = 0xD8, 0xD9, 0xDA, 0xC4, 0xDD, 0x01
_RST = range(0xD0, 0xD8)
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {_DHT, 0xC8, 0xCC}
_BETWEEN = {_DHT, 0xDA, 0xDB, 0xDC, 0xDD, 0xFE, *range(0xE0, 0xF0)}
"""Markers that may stand between two scans, beside the end."""

_KEPT = (0xE0, 0xEE)
"""Segments of applications that tell how colours are stored: JFIF's and Adobe's."""

_COEFFICIENT_BITS = 13  # more than any has: a coefficient of which nothing came
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
        is_complete: whether the scans hold every bit of every coefficient.
        strays: markers that no encoder writes at their place.
    """

    scans: list[Scan] = field(default_factory=list)
    end: int = 0
    is_progressive: bool = False
    is_ended: bool = False
    is_complete: bool = True
    strays: int = 0


def parse(data: bytes) -> Layout:
    """Read the markers, up to the end of the first picture.

    Raises:
        Refused: more than `MAX_SCANS` scans.
    """
    marks, kinds, restarts, order = _find_markers(data)
    reader = _Reader(Layout(end=len(data)))
    at = 2
    while (index := int(np.searchsorted(marks, at))) < len(marks):
        at, kind = int(marks[index]), int(kinds[index])
        if kind == _EOI:
            return reader.end(at)
        if not reader.takes(kind):
            at += 2
            continue
        segment = data[at + 4 : at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")]
        at += 4 + len(segment)
        if kind == _SOS:
            following = int(np.searchsorted(marks, at))
            end = int(marks[following]) if following < len(marks) else len(data)
            inside = order[np.searchsorted(restarts, at) : np.searchsorted(restarts, end)]
            reader.add_scan(segment, at, end, inside)
            at = end
        else:
            reader.add(kind, segment)
    return reader.found


def _find_markers(data: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Where markers stand and which, and the same of those between the parts of a scan."""
    codes = np.frombuffer(data, np.uint8)
    marks = np.flatnonzero(codes[:-1] == _MARKER)
    kinds = codes[marks + 1]
    is_real = (kinds != 0) & (kinds != _MARKER)
    marks, kinds = marks[is_real], kinds[is_real]
    is_restart = (kinds >= _RST.start) & (kinds < _RST.stop)
    return marks[~is_restart], kinds[~is_restart], marks[is_restart], kinds[is_restart]


class _Reader:
    """Puts segments together to a layout."""

    def __init__(self, found: Layout) -> None:
        self.found = found
        self._frame = _Frame(b"")
        self._interval = 0  # units between two restarts; 0 for none
        self._first: dict[int, int] = {}  # of each table: what the code of zeros alone says

    def takes(self, kind: int) -> bool:
        """Whether a segment belongs to this marker; one that belongs nowhere is counted."""
        is_stray = bool(self.found.scans) and kind not in _BETWEEN
        self.found.strays += is_stray
        return not is_stray and kind not in (_SOI, _TEM)

    def add(self, kind: int, segment: bytes) -> None:
        """Take in a segment that is no scan."""
        if kind in _FRAMES:
            self.found.is_progressive = kind in _PROGRESSIVE
            self._frame = _Frame(segment)
        elif kind == _DRI:
            self._interval = int.from_bytes(segment[:2], "big")
        elif kind == _DHT:
            self._first |= _zero_codes(segment)

    def add_scan(self, segment: bytes, start: int, end: int, restarts: np.ndarray) -> None:
        """Take in a scan by its header, its place, and the restarts in it."""
        found = self.found
        found.scans.append(Scan(start, end, _may_be_zeros(segment, self._first, found)))
        if len(found.scans) > MAX_SCANS:
            raise Refused(
                f"a JPEG of more than {MAX_SCANS} scans, which no camera writes and which "
                "takes minutes to decode: save it anew"
            )
        found.strays += int(((np.diff(restarts.astype(int)) % 8) != 1).sum())
        units = self._frame.add_scan(segment)
        if self._interval and units:
            found.strays += abs(-(-units // self._interval) - 1 - len(restarts))

    def end(self, at: int) -> Layout:
        """The layout, now that its end is marked."""
        self.found.end, self.found.is_ended = at, True
        self.found.is_complete = not self.found.is_progressive or self._frame.is_complete
        return self.found


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
        """Read as of any file, but `_STEP` bytes at most in the last `_TAIL`."""
        at = self.tell()
        if size is None or size <= _STEP:
            return super().read(size)
        if at < self._end - _TAIL:
            return super().read(min(size, self._end - _TAIL - at))
        return super().read(min(size, _STEP))


class _Frame:
    """The components of a picture, and the bits of them that scans have brought.

    Args:
        segment: of the frame's header; what is cut short has no components.
    """

    def __init__(self, segment: bytes) -> None:
        self._height = int.from_bytes(segment[1:3], "big")
        self._width = int.from_bytes(segment[3:5], "big")
        parts = [segment[at : at + 3] for at in range(6, len(segment) - 2, 3)]
        self._factors = {part[0]: (part[1] >> 4 or 1, part[1] & 15 or 1) for part in parts}
        self._missing = {part[0]: [_COEFFICIENT_BITS] * 64 for part in parts}

    @property
    def is_complete(self) -> bool:
        """Whether no coefficient lacks a bit."""
        return not any(any(bits) for bits in self._missing.values())

    def add_scan(self, segment: bytes) -> int:
        """Note a scan by its header, and tell how many units it has; 0 where that is unknown."""
        count = segment[0] if segment else 0
        if len(segment) < 4 + 2 * count:
            return 0
        names = [segment[1 + 2 * index] for index in range(count)]
        low, high, bits = segment[1 + 2 * count : 4 + 2 * count]
        for name in names:
            self._missing.get(name, [])[low : high + 1] = [bits & 15] * (min(high, 63) + 1 - low)
        if not set(names) <= set(self._factors) or not self._height:
            return 0
        across = max(factor for factor, _ in self._factors.values())
        down = max(factor for _, factor in self._factors.values())
        if count > 1:
            return -(-self._width // (8 * across)) * -(-self._height // (8 * down))
        own_across, own_down = self._factors[names[0]]
        width, height = -(-self._width * own_across // across), -(-self._height * own_down // down)
        return -(-width // 8) * -(-height // 8)


def _zero_codes(segment: bytes) -> dict[int, int]:
    """The symbol of the code 0...0 of each Huffman table in a segment, by class and number."""
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
