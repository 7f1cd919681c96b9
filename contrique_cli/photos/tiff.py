"""What Pillow does not tell of a TIFF: RAW files that look like one, and deep samples in planes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Literal, NamedTuple

import numpy as np
from PIL import Image

from contrique_cli.errors import Refused

_SUBFILE, _WIDTH, _LENGTH, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 256, 257, 258, 259, 262
_STRIPS, _SAMPLES, _ROWS, _PLANAR = 273, 277, 278, 284
_TILE_WIDTH, _TILE_LENGTH, _TILES = 322, 323, 324
_SUB_FOLDERS, _EXTRA, _SAMPLE_FORMAT, _DNG_VERSION = 330, 338, 339, 50706
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _COLOUR_FILTER, _LINEAR_RAW = 0, 1, 2, 32803, 34892
_SEPARATE, _UNCOMPRESSED, _REDUCED, _UNSIGNED, _DEEP = 2, 1, 1, 1, 16
_UNSPECIFIED, _ASSOCIATED, _UNASSOCIATED = 0, 1, 2
_CHANNELS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3}


class _Piece(NamedTuple):
    """A strip or tile of one plane: where it lies in the picture and in the file."""

    plane: int
    top: int
    left: int
    height: int
    width: int
    offset: int


def know_more_kinds() -> None:
    """Teach Pillow the deep grey kinds that it knows in one byte order, or from black, alone."""
    from PIL import TiffImagePlugin  # noqa: PLC0415 - not loaded where no photo is opened

    for order, photometric, bits, mode, samples in (
        (b"MM", _WHITE_IS_ZERO, 16, "I;16B", "I;16B"),
        (b"MM", _WHITE_IS_ZERO, 32, "I", "I;32B"),
        (b"MM", _BLACK_IS_ZERO, 32, "I", "I;32B"),
        (b"II", _WHITE_IS_ZERO, 32, "I", "I;32N"),
    ):
        kind = (order, photometric, (_UNSIGNED,), 1, (bits,), ())
        TiffImagePlugin.OPEN_INFO.setdefault(kind, (mode, samples))
    for order in (b"II", b"MM"):
        for extra in (_UNSPECIFIED, _ASSOCIATED, _UNASSOCIATED):
            pair = (order, _BLACK_IS_ZERO, (_UNSIGNED,), 1, (_DEEP, _DEEP), (extra,))
            TiffImagePlugin.OPEN_INFO.setdefault(pair, ("RGBA", "RGBA"))  # see `levels`


def depth(image: Image.Image) -> int | None:
    """Bits of unsigned grey samples; None where nothing says that."""
    tags = _tags(image)
    bits = tags.get(_BITS, ())
    is_unsigned = tags.get(_SAMPLE_FORMAT, (_UNSIGNED,)) == (_UNSIGNED,)
    return int(bits[0]) if len(bits) == 1 and is_unsigned else None


def is_raw(image: Image.Image) -> bool:
    """Whether a TIFF is a camera's RAW file: its first picture is a preview or sensor data."""
    tags = _tags(image)
    return (
        _DNG_VERSION in tags
        or tags.get(_PHOTOMETRIC) in (_COLOUR_FILTER, _LINEAR_RAW)
        or (tags.get(_SUBFILE) == _REDUCED and _SUB_FOLDERS in tags)
    )


def is_dng(data: bytes) -> bool:
    """Whether a file that Pillow does not open is a DNG, by the tags of its first picture."""
    order: Literal["little", "big"] = "little" if data.startswith(b"II") else "big"
    if not data.startswith((b"II*\0", b"MM\0*")):
        return False
    start = int.from_bytes(data[4:8], order)
    count = int.from_bytes(data[start : start + 2], order)
    entries = range(start + 2, min(start + 2 + 12 * count, len(data) - 1), 12)
    return _DNG_VERSION in (int.from_bytes(data[at : at + 2], order) for at in entries)


def is_negative(image: Image.Image) -> bool:
    """Whether deep grey samples count from white, which Pillow leaves as they are."""
    is_deep = image.mode.startswith("I;16") or image.mode in ("I", "F")
    return is_deep and _tags(image).get(_PHOTOMETRIC) == _WHITE_IS_ZERO


def levels(image: Image.Image) -> Callable[[np.ndarray], np.ndarray] | None:
    """What makes uint8 grey over white of 16-bit grey with alpha; None for other pictures.

    Pillow has no mode for it, and hands on the four bytes of a pixel as if they were RGBA.

    Raises:
        Refused: grey and alpha lie in planes.
    """
    tags = _tags(image)
    if image.mode != "RGBA" or tags.get(_BITS) != (_DEEP, _DEEP):
        return None
    if tags.get(_PLANAR) == _SEPARATE:
        raise Refused("a TIFF of deep grey and alpha in compressed planes: save it anew")
    order = "<" if getattr(image, "tag_v2").prefix == b"II" else ">"  # noqa: B009 - Pillow's TIFF alone has it
    if image.info.get("compression") != "raw":
        order = "="  # libtiff has turned the bytes
    extra = tags[_EXTRA][0]

    def over_white(samples: np.ndarray) -> np.ndarray:
        pairs = samples.view(f"{order}u2") / np.float32(65535)
        grey, alpha = pairs[..., 0], pairs[..., 1]
        if extra != _UNSPECIFIED:
            grey = (grey if extra == _ASSOCIATED else grey * alpha) + (1 - alpha)
        return np.rint(np.clip(grey, 0, 1) * 255).astype(np.uint8)

    return over_white


def read_planes(image: Image.Image, file: BinaryIO) -> Image.Image | None:
    """Grey or RGB whose 16-bit samples lie in a plane for each channel, which Pillow scrambles.

    Returns:
        The picture as stored, 8 bit; None where the file is of another kind, for Pillow to open.

    Raises:
        Refused: its channels are neither grey nor RGB.
        ValueError: samples are missing.
    """
    tags = _tags(image)
    if (
        tags.get(_PLANAR) != _SEPARATE
        or tags.get(_COMPRESSION, _UNCOMPRESSED) != _UNCOMPRESSED
        or _DEEP not in tags.get(_BITS, ())
    ):
        return None
    photometric = tags.get(_PHOTOMETRIC)
    channels = _CHANNELS.get(photometric)
    if channels is None or set(tags[_BITS]) != {_DEEP} or tags.get(_SAMPLES, 1) < channels:
        raise Refused(
            "a TIFF of deep channels in planes that is neither grey nor RGB: save it anew"
        )
    order = "<u2" if getattr(image, "tag_v2").prefix == b"II" else ">u2"  # noqa: B009 - Pillow's TIFF alone has it
    pixels = np.empty((tags[_LENGTH], tags[_WIDTH], channels), np.uint8)
    for piece in _pieces(tags, channels):
        file.seek(piece.offset)
        samples = np.frombuffer(file.read(2 * piece.height * piece.width), order)
        levels = (samples.astype(np.uint32) + 128) // 257  # 16 to 8 bit, rounded
        levels = levels.reshape(piece.height, piece.width)  # a ValueError where it is cut short
        room = pixels[piece.top :, piece.left :, piece.plane][: piece.height, : piece.width]
        room[:] = levels[: room.shape[0], : room.shape[1]]
    if photometric == _WHITE_IS_ZERO:
        np.subtract(255, pixels, out=pixels)
    return Image.fromarray(pixels if channels > 1 else pixels[..., 0])


def _pieces(tags: Any, channels: int) -> Iterator[_Piece]:
    width, height = tags[_WIDTH], tags[_LENGTH]
    is_tiled = _TILES in tags
    wide = tags[_TILE_WIDTH] if is_tiled else width
    tall = tags[_TILE_LENGTH] if is_tiled else min(tags.get(_ROWS, height), height)
    offsets = iter(tags[_TILES if is_tiled else _STRIPS])
    for plane in range(channels):
        for top in range(0, height, tall):
            rows = tall if is_tiled else min(tall, height - top)
            for left in range(0, width, wide):
                offset = next(offsets, None)
                if offset is None:
                    raise ValueError("planes are missing")
                yield _Piece(plane, top, left, rows, wide, offset)


def _tags(image: Image.Image) -> Any:
    return getattr(image, "tag_v2", {})
