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
"""Of the height: smaller bands are not told."""

_ABRUPT = 12
"""Levels by which rows beside a missing part differ from it in the median."""

_FRAME = 90
"""Percent of the opposite edge that has the colour of a frame."""

_WHITE = 250
"""Level from which on a band is a page."""

_CANDIDATES, _REACH = 24, 6
"""Rows looked at for a shift, those that differ most from the row before; rows between two."""

_STEP, _ALIKE, _AS_GOOD, _BETTER, _SEAM = 4.0, 0.6, 0.85, 0.3, 24
"""Of a shift: times the step to the row before is that of the rows around; how alike neighbours
are, as a correlation; the part of that which moved rows reach; how much more alike that is than in
place; rows below in which the former edges meet."""

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
    for start, end in _empty_bands(pixels):
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
    opposite = pixels[0] if end == rows else pixels[-1]
    is_frame = np.percentile(abs(opposite.astype(int) - colour), _FRAME) <= _ABRUPT
    if is_frame or colour.min() > _WHITE:
        return False
    is_grey = bool((abs(colour - _GREY) <= 1).all())
    if end == rows and is_grey:
        return True
    if end < rows and not is_grey and colour.max() > 0:
        return False
    beside = []
    if start > 0:
        beside.append(pixels[max(0, start - 10) : max(0, start - 2)])
    if end < rows:
        beside.append(pixels[end + 2 : end + 10])
    return all(
        len(part) > 0 and float(np.median(abs(part - colour).max(axis=2))) > _ABRUPT
        for part in beside
    )


def _is_shifted(pixels: np.ndarray) -> bool:
    """Whether the picture goes on aside from some row on, as it does after lost bytes.

    There rows are unlike their neighbours, unless one is moved: then they are as alike as
    neighbours are elsewhere.
    """
    green = pixels[..., 1]
    steps = np.abs(green[1:].astype(np.int16) - green[:-1]).mean(axis=1, dtype=np.float32)
    seen: list[int] = []
    for row in map(int, np.argsort(steps)[: -_CANDIDATES - 1 : -1]):
        is_near = any(abs(row - other) < _REACH for other in seen)
        if not 2 * _REACH <= row < len(steps) - 2 * _REACH or is_near:
            continue
        seen.append(row)
        around = np.r_[steps[row - 2 * _REACH : row - 3], steps[row + 4 : row + 2 * _REACH]]
        is_step = steps[row] > _STEP * (float(np.median(around)) + 0.5)
        if is_step and _continues_aside(green, row):
            return True
    return False


def _continues_aside(green: np.ndarray, row: int) -> bool:
    """Whether the rows after one continue those before it at another column."""
    lines = green[[row - 7, row - 2, row + 3, row + 8]].astype(np.float64)
    lines -= lines.mean(axis=1, keepdims=True)
    spread = lines.std(axis=1, keepdims=True)
    if spread[1:3].min() < _ABRUPT or spread.min() == 0.0:
        return False
    lines /= spread * np.sqrt(lines.shape[1])
    alike = min(float(lines[0] @ lines[1]), float(lines[2] @ lines[3]))
    spectra = np.fft.rfft(lines[1:3])
    moved = np.fft.irfft(np.conj(spectra[0]) * spectra[1], lines.shape[1])
    here = max(float(moved[place]) for place in range(-2, 3))
    best = float(moved.max())
    aside = int(moved.argmax())
    if min(aside, len(moved) - aside) < _LEAST_SHARE * len(moved):
        return False
    if alike < _ALIKE or best < _AS_GOOD * alike or best - here < _BETTER:
        return False
    return _has_seam(green[row + 3 : row + 3 + _SEAM], aside)


def _has_seam(band: np.ndarray, column: int) -> bool:
    """Whether the former edges of the picture meet at a column."""
    steps = np.abs(band[:, 1:].astype(np.int16) - band[:, :-1]).mean(axis=0)
    seam = float(steps[max(0, column - 3) : column + 2].max())
    return seam >= 3 * (float(np.median(steps)) + 0.5) and int((steps > seam).sum()) <= 1


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
