"""Damage that decoders paint over: a photo that is half there gets a score, and a note.

Told from the bytes, by what no encoder writes, and from the picture, by what no lens sees. A note
says what is sure; a sound photo gets none.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from contrique_cli.photos import jpeg, png

PAD = 64
"""Bytes before the end of a JPEG that need not be picture: encoders pad."""

RUN = 4096
"""Zero bytes of uncompressed samples, from sector to sector of the disk, that are no black."""

_SECTOR = 512
_WEBP_RUN = bytes(256)
_GREY = 128
_LEAST_ROWS = 4
_LEAST_SHARE = 0.02
"""Rows and share of the height that a band has at least: smaller ones are not told."""

_ABRUPT = 12
"""Levels by which rows beside a missing part differ from it in the median."""

_FRAME = 90
"""Percent of the opposite edge that has the colour of a frame."""

_BLACK = 2
"""Level up to which lossy formats leave black."""

_WHITE = 250
"""Level from which on a band is a page."""

_SMEAR, _RINGING = 4, 16
"""Rows over which reducing a picture, and saving it with loss, spreads an edge."""

_SMALL = 0.1
"""Share of the height: a smaller band is a picture's lost end only where that breaks off within
`_SMEAR`; where it does not, another program has saved it, and it may be meant."""

_CANDIDATES, _REACH, _GAP = 3, 6, 5
"""Rows looked at for a shift, those that differ most from the row before; rows between two; rows
from one to what it is compared with, since a lossy format mixes neighbours."""

_STEP, _ALIKE, _NEAREST, _GAIN, _STILL, _LEFT, _FLAT = 3.4, 0.6, 12, 1.9, 1.2, 1.25, 4.0
"""What tells a shift: times the step to the row before is that of the rows around; how alike the
rows are when moved back, as a correlation; columns by which its peak may miss the shift; times rows
are more alike when moved back, next to it and farther off; times they then differ at most as rows
do elsewhere; levels that they vary at least. Of 1,500 sound photos none had
a candidate with a gain above 1.53 within that difference."""

_FORMATS_OF_SAMPLES = ("TIFF", "BMP", "PPM")


def find(kind: str | None, data: bytes | None, layout: jpeg.Layout | None, fed: int) -> str | None:
    """What the bytes tell.

    Args:
        kind: the file's format as Pillow names it.
        data: the file.
        layout: of a JPEG.
        fed: bytes of a JPEG that its decoder took.

    Returns:
        A note; None where nothing is wrong.
    """
    if data is None:
        return None
    if layout is not None:
        return _of_jpeg(data, layout, fed)
    if kind == "PNG":
        bad = [chunk for chunk in png.chunks(data) if chunk.kind == b"IDAT" and not chunk.is_sound]
        return "damaged: a checksum of the picture does not hold" if bad else None
    if kind == "WEBP":
        is_empty = _webp_has_zeros(data)
        return "damaged: parts of the file are empty" if is_empty else None
    if kind in _FORMATS_OF_SAMPLES and _has_empty_sectors(data):
        return "damaged: parts of the file are empty"
    return None


def see(pixels: np.ndarray) -> str | None:
    """What the picture tells.

    Args:
        pixels: uint8 RGB as stored, not yet turned, shape (H, W, 3).

    Returns:
        A note; None where nothing is wrong.
    """
    rows = len(pixels)
    for start, end in _empty_bands(np.where(pixels > _BLACK, pixels, 0)):
        share = f"{max(1, round(100 * (end - start) / rows))} % of the picture are missing"
        if end == rows and _is_lost(pixels, start, end):
            return f"damaged: the last {share}"
        if 0 < start < end < rows and _is_lost(pixels, start, end):
            return f"damaged: {share}"
    return "damaged: a part of the picture is shifted" if _is_shifted(pixels) else None


def _empty_bands(pixels: np.ndarray) -> list[tuple[int, int]]:
    """First and last row, exclusive, of the bands that are one colour from side to side."""
    rows, columns = pixels.shape[:2]
    first = pixels[:, :1]
    is_empty = (pixels[:, :: max(1, columns // 8)] == first).all(axis=(1, 2))
    if is_empty.sum() < _LEAST_ROWS:
        return []
    is_empty[is_empty] = (pixels[is_empty] == first[is_empty]).all(axis=(1, 2))
    is_other = np.ones(rows, dtype=bool)
    is_other[1:] = ~is_empty[1:] | ~is_empty[:-1] | (first[1:] != first[:-1]).any(axis=(1, 2))
    starts = [*np.flatnonzero(is_other).tolist(), rows]
    least = max(_LEAST_ROWS, _LEAST_SHARE * rows)
    return [(one, end) for one, end in pairwise(starts) if end - one >= least]


def _is_lost(pixels: np.ndarray, start: int, end: int) -> bool:
    """Whether a band is what decoders and disks put where a picture is missing.

    That is grey from libjpeg, or black, or at the lower edge whatever came last; the picture
    breaks off there, instead of fading, and has no frame of that colour.
    """
    rows = len(pixels)
    colour = pixels[start, 0].astype(int)
    colour[colour <= _BLACK] = 0
    opposite = pixels[0] if end == rows else pixels[-1]
    is_frame = np.percentile(abs(opposite.astype(int) - colour), _FRAME) <= _ABRUPT
    if is_frame or colour.min() > _WHITE:
        return False
    is_grey = bool((abs(colour - _GREY) <= 1).all())
    if end == rows and end - start < _SMALL * rows and not _breaks_off(pixels, start):
        return False
    if end == rows and is_grey:
        return True
    if end < rows and not is_grey and colour.max() > 0:
        return False
    above = pixels[max(0, start - _RINGING - 10) : start][::-1]
    below = pixels[end : end + _RINGING + 10]
    parts = [above] if end == rows else [above, below]
    return all(_is_abrupt(part, colour) for part in parts if start > 0 or part is below)


def _breaks_off(pixels: np.ndarray, start: int) -> bool:
    """Whether a picture is there up to a few rows before a band; its last blocks may be missing."""
    last = pixels[max(0, start - _SMEAR)].astype(int)
    return float(np.percentile(abs(last - pixels[start]).max(axis=1), 95)) > 2 * _ABRUPT


def _is_abrupt(part: np.ndarray, colour: np.ndarray) -> bool:
    """Whether the rows beside a band, nearest first, leave its colour at once; see `_RINGING`."""
    apart = np.median(abs(part - colour).max(axis=2), axis=1)
    first = int((apart > _ABRUPT).argmax()) if len(apart) else 0
    there = apart[first + 2 : first + 10]
    before = apart[first - 3] if first >= 3 else 0.0  # noqa: PLR2004 - rows of an edge
    return (
        first <= _RINGING
        and len(there) > 0
        and float(np.median(there)) > _ABRUPT
        and float(apart[min(first + 1, len(apart) - 1)] - before) > _ABRUPT
    )


def _is_shifted(pixels: np.ndarray) -> bool:
    """Whether the picture goes on aside from some row on, as it does after lost bytes.

    There rows are unlike their neighbours, unless one is moved: then they are as alike as
    neighbours are elsewhere.
    """
    green = pixels[..., 1].astype(np.int16)
    steps = np.abs(green[1:] - green[:-1]).mean(axis=1, dtype=np.float32)
    seen: list[int] = []
    for row in map(int, np.argsort(steps)[::-1][: _CANDIDATES * _REACH * 2]):
        is_near = any(abs(row - other) < _REACH for other in seen)
        if not 2 * _REACH <= row < len(steps) - 2 * _REACH or is_near:
            continue
        seen.append(row)
        around = np.r_[steps[row - 2 * _REACH : row - 3], steps[row + 4 : row + 2 * _REACH]]
        usual = float(np.sort(around)[len(around) // 2])  # `np.median` loads another module
        is_step = steps[row] > _STEP * (usual + 0.5)
        if is_step and _continues_aside(green, row):
            return True
        if len(seen) == _CANDIDATES:
            break
    return False


def _continues_aside(green: np.ndarray, row: int) -> bool:
    """Whether the rows after one continue those before it at another column."""
    before, after = green[row - 2], green[row + 3]
    lines = np.stack([before, after]).astype(np.float64)
    lines -= lines.mean(axis=1, keepdims=True)
    if lines.std(axis=1).min() < _FLAT:
        return False
    lines /= np.linalg.norm(lines, axis=1, keepdims=True)
    spectra = np.fft.rfft(lines)
    width = len(before)
    alike = np.fft.irfft(np.conj(spectra[0]) * spectra[1], width)
    if alike.max() < _ALIKE:
        return False
    peak = int(alike.argmax())

    aside = min(
        range(peak - _NEAREST, peak + _NEAREST + 1), key=lambda one: _apart(before, after, one)
    )
    if min(aside % width, -aside % width) < _LEAST_SHARE * width:
        return False
    left = _apart(before, after, aside)
    usual = (_rows_apart(green, row - 2, -_GAP) + _rows_apart(green, row + 3, _GAP)) / 2 + 0.5
    far = green[row - 2 * _REACH + 2], green[row + 2 * _REACH]
    return (
        left < _LEFT * usual
        and _in_place(before, after) > _GAIN * left
        and _in_place(*far) > _STILL * _apart(*far, aside)
    )


def _apart(before: np.ndarray, after: np.ndarray, aside: int) -> float:
    """How much two rows differ when the second is moved back."""
    return float(np.abs(np.roll(after, -aside) - before).mean()) + 0.5


def _in_place(before: np.ndarray, after: np.ndarray) -> float:
    return min(_apart(before, after, aside) for aside in range(-3, 4))


def _rows_apart(green: np.ndarray, row: int, gap: int) -> float:
    """Median of how much a row and its next few differ from those at a distance."""
    rows = row + np.arange(_GAP) * (1 if gap > 0 else -1)
    rows = rows[(rows + gap >= 0) & (rows + gap < len(green))]
    return float(np.median(np.abs(green[rows] - green[rows + gap]).mean(axis=1)))


def _of_jpeg(data: bytes, layout: jpeg.Layout, fed: int) -> str | None:
    for scan in layout.scans:
        if not scan.may_be_zeros and data.find(jpeg.ZEROS, scan.start, scan.end) >= 0:
            return "damaged: parts of the file are empty"
    if layout.strays:
        return "damaged: parts of the file are garbled"
    if not layout.is_progressive and layout.is_ended and fed < layout.end - PAD:
        rest = data[fed : layout.end].strip(b"\0\xff")
        if len(rest) > PAD:
            return "damaged: parts of the file are garbled"
    if layout.is_ended and not layout.is_complete:
        return "damaged: its last scans are missing"
    return None


def _webp_has_zeros(data: bytes) -> bool:
    at = data.find(b"VP8", 12)
    return at >= 0 and data.find(_WEBP_RUN, at, len(data)) >= 0


def _has_empty_sectors(data: bytes) -> bool:
    """Whether zeros begin and end where sectors of a disk do, which black in a picture does not."""
    at = 0
    while (at := data.find(bytes(RUN), at)) >= 0:
        end = at + RUN
        codes = np.frombuffer(data, np.uint8, offset=end)
        rest = np.flatnonzero(codes[: 1 << 20])
        end += int(rest[0]) if len(rest) else min(len(codes), 1 << 20)
        if at % _SECTOR == 0 and (end % _SECTOR == 0 or end == len(data)):
            return True
        at = end
    return False
