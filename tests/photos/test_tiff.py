"""TIFFs that Pillow alone gets wrong: deep planes, white as zero (issue 16.8), RAW inside."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from contrique_cli.errors import Unreadable
from contrique_cli.photos import opening
from tests.conftest import make_photo
from tests.dng import save_dng

H, W = 96, 160
RGB = np.asarray(make_photo(4, W, H)).astype(np.uint16) * 257


def tiff(
    planes: list[np.ndarray], photometric: int, *, order: str = "<", rows: int = H, tile: int = 0
) -> bytes:
    """An uncompressed 16-bit TIFF with a plane for each channel, in strips or tiles."""
    pieces = []
    for plane in planes:
        if tile:
            padded = np.pad(plane, ((0, -H % tile), (0, -W % tile)), mode="edge")
            pieces += [
                padded[top : top + tile, left : left + tile]
                for top in range(0, H, tile)
                for left in range(0, W, tile)
            ]
        else:
            pieces += [plane[top : top + rows] for top in range(0, H, rows)]
    data = [piece.astype(f"{order}u2").tobytes() for piece in pieces]
    count = len(planes)
    tags = [
        *((256, 4, [W]), (257, 4, [H]), (258, 3, [16] * count), (259, 3, [1])),
        *((262, 3, [photometric]), (277, 3, [count]), (284, 3, [2])),
    ]
    tags += (
        [(322, 4, [tile]), (323, 4, [tile]), (324, 4, None), (325, 4, [len(one) for one in data])]
        if tile
        else [(273, 4, None), (278, 4, [rows]), (279, 4, [len(one) for one in data])]
    )
    tags.sort(key=lambda tag: tag[0])
    start = 8 + 2 + 12 * len(tags) + 4
    room = 8192
    places = np.cumsum([start + room, *map(len, data[:-1])]).tolist()
    body, heap = b"", b""
    for tag, kind, values in tags:
        packed = b"".join(
            struct.pack(order + ("H" if kind == 3 else "I"), value) for value in values or places
        )
        place = packed.ljust(4, b"\0")
        if len(packed) > 4:
            place = struct.pack(order + "I", start + len(heap))
            heap += packed
        body += struct.pack(order + "HHI", tag, kind, len(values or places)) + place
    magic = b"II*\0" if order == "<" else b"MM\0*"
    head = magic + struct.pack(order + "IH", 8, len(tags)) + body + bytes(4)
    return head + heap.ljust(room, b"\0") + b"".join(data)


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(opening.open_rgb(data, max_side=0).image).astype(int)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("layout", [{}, {"rows": 7}, {"tile": 32}])
def test_rgb_in_planes_comes_out_right(order, layout):
    data = tiff([RGB[..., channel] for channel in range(3)], 2, order=order, **layout)
    assert np.array_equal(pixels(data), RGB // 257)


def test_a_fourth_plane_is_no_colour():
    data = tiff([*(RGB[..., channel] for channel in range(3)), RGB[..., 0]], 2)
    assert np.array_equal(pixels(data), RGB // 257)


@pytest.mark.parametrize("layout", [{}, {"rows": 7}, {"tile": 32}])
@pytest.mark.parametrize(("order", "photometric"), [("<", 0), ("<", 1), (">", 0), (">", 1)])
def test_grey_comes_out_right_whether_black_or_white_is_zero(order, photometric, layout):
    grey = RGB[..., 1]
    data = tiff([65535 - grey if photometric == 0 else grey], photometric, order=order, **layout)
    assert np.array_equal(pixels(data), np.repeat(grey[..., None] // 257, 3, axis=2))


def chunky(samples: np.ndarray, photometric: int, order: str, bits: int = 16) -> bytes:
    """Grey with all samples of a pixel side by side, as nearly every program writes it."""

    def short(tag: int, value: int) -> bytes:
        return struct.pack(f"{order}HHIHH", tag, 3, 1, *(value, 0))

    data = tiff([samples], photometric, order=order)
    if bits == 32:
        data = data[: -samples.size * 2] + samples.astype(f"{order}u4").tobytes()
    return data.replace(short(284, 2), short(284, 1)).replace(short(258, 16), short(258, bits))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [16, 32])
def test_grey_of_one_chunk_that_counts_from_white_is_no_negative(order, bits):
    """Pillow knows only one of the two byte orders of either."""
    grey = RGB[..., 1].astype(np.uint64) * (1 if bits == 16 else 65537)
    data = chunky((1 << bits) - 1 - grey, 0, order, bits)
    assert np.array_equal(pixels(data)[..., 0], RGB[..., 1] // 257)


@pytest.mark.parametrize("order", ["<", ">"])
def test_grey_of_32_bits_is_as_bright_as_it_says(order):
    grey = RGB[..., 1].astype(np.uint64) * 65537
    assert np.array_equal(pixels(chunky(grey, 1, order, 32))[..., 0], RGB[..., 1] // 257)


def test_grey_of_12_bits_is_as_bright_as_it_says():
    """Cameras and scanners for science and medicine write it; Pillow leaves its values as is."""
    grey = RGB[..., 1] >> 4  # two samples in three bytes
    pairs = grey.reshape(-1, 2)
    packed = np.stack(
        [pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255], axis=1
    ).astype(np.uint8)
    data = chunky(RGB[..., 1], 1, "<", 12)
    data = data[: -RGB[..., 1].size * 2] + packed.tobytes()
    data = data.replace(struct.pack("<I", RGB[..., 1].size * 2), struct.pack("<I", packed.size))
    expected = np.rint(grey / 4095 * 255)
    assert np.abs(pixels(data)[..., 0] - expected).max() <= 1


def with_alpha(samples: np.ndarray, extra: int, order: str, compression: int) -> bytes:
    """A 16-bit TIFF of grey and alpha side by side, as it is or packed by zlib."""
    data = samples.astype(f"{order}u2").tobytes()
    data = zlib.compress(data) if compression == 8 else data
    tags = [
        *((256, 4, W), (257, 4, H), (258, 3, None), (259, 3, compression), (262, 3, 1)),
        *((273, 4, 512), (277, 3, 2), (278, 4, H), (279, 4, len(data)), (338, 3, extra)),
    ]
    body = b""
    for tag, kind, value in tags:
        body += struct.pack(order + "HHI", tag, kind, 2 if value is None else 1)
        short = kind == 3 and value is not None
        if value is None:
            body += struct.pack(order + "HH", 16, 16)
        else:
            body += struct.pack(order + ("HH" if short else "I"), value, *([0] * short))
    magic = b"II*\0" if order == "<" else b"MM\0*"
    head = magic + struct.pack(order + "IH", 8, len(tags)) + body + bytes(4)
    return head.ljust(512, b"\0") + data


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [1, 8])
@pytest.mark.parametrize("extra", [0, 1, 2])
def test_deep_grey_with_alpha_lies_on_white(extra, compression, order):
    grey = RGB[..., 1] / 65535
    alpha = np.where(np.arange(W) < W // 2, 1.0, 0.25) * np.ones((H, 1))
    stored = grey * alpha if extra == 1 else grey  # associated alpha is multiplied in
    samples = np.rint(np.stack([stored, alpha], axis=-1) * 65535)
    shown = grey if extra == 0 else grey * alpha + 1 - alpha
    found = pixels(with_alpha(samples, extra, order, compression))
    assert np.abs(found - np.rint(shown * 255)[..., None]).max() <= 1


def test_a_kind_that_pillow_does_not_know_says_what_to_do():
    with pytest.raises(Unreadable, match=r"unknown pixel mode.*save it anew"):
        pixels(chunky(RGB[..., 1], 0, ">", 13))


def test_other_planes_are_refused_and_missing_ones_are_damage():
    with pytest.raises(Unreadable, match="neither grey nor RGB: save it anew"):
        pixels(tiff([RGB[..., 0]] * 4, 5))
    with pytest.raises(Unreadable, match="damaged"):
        pixels(tiff([RGB[..., channel] for channel in range(3)], 2)[:-100])


def test_a_raw_file_under_the_suffix_of_a_tiff_is_known(tmp_path):
    pytest.importorskip("rawpy")
    save_dng(tmp_path / "a.tif", make_photo(3, 320, 240))
    assert opening.open_rgb(tmp_path / "a.tif", max_side=128).source == "raw"
