"""Content: a photo's bytes up to the end that its header tells."""

from __future__ import annotations

import io
import os

import numpy as np
import pytest
from PIL import Image, features

from contrique_cli.errors import Refused, Unreadable
from contrique_cli.photos import content, opening
from tests.conftest import make_photo


def encoded(kind: str) -> bytes:
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    file = io.BytesIO()
    make_photo().save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["WEBP", "AVIF"])
def test_a_sparse_file_is_read_up_to_the_end_of_its_picture(tmp_path, kind):
    data = encoded(kind)
    path = tmp_path / "a"
    path.write_bytes(data)
    os.truncate(path, 3 << 30)
    with path.open("rb") as file:
        assert content.load(file).data in (data, data + b"\0")
    photo = opening.open_rgb(path, max_side=0)
    assert np.array_equal(
        np.asarray(photo.image), np.asarray(opening.open_rgb(data, max_side=0).image)
    )


@pytest.mark.parametrize("kind", ["WEBP", "AVIF"])
def test_a_file_that_claims_gigabytes_is_refused_unread(tmp_path, kind):
    data = encoded(kind)
    if kind == "WEBP":
        data = data[:4] + (2 << 30).to_bytes(4, "little") + data[8:]
    else:
        data += (2 << 30).to_bytes(4, "big") + b"free"
    path = tmp_path / "a"
    path.write_bytes(data)
    os.truncate(path, 3 << 30)
    with path.open("rb") as file, pytest.raises(Refused, match="over the limit of 268 MB for a"):
        content.load(file)
    with pytest.raises(Unreadable, match="over the limit"):
        opening.open_rgb(path, max_side=0)


def test_what_does_not_fit_into_memory_is_read_from_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(content, "MAX_IN_MEMORY", 1000)
    path = tmp_path / "a.png"
    make_photo().save(path)
    photo = opening.open_rgb(path, max_side=0, is_hashed=True)
    assert np.array_equal(np.asarray(photo.image), np.asarray(make_photo()))
    assert photo.digest == content.digest(path.read_bytes())


def test_a_digest_is_of_what_was_decoded(tmp_path):
    path = tmp_path / "a.png"
    make_photo().save(path)
    assert opening.open_rgb(path, max_side=0).digest is None
    digest = opening.open_rgb(path, max_side=0, is_hashed=True).digest
    assert digest == content.digest(path.read_bytes())
    assert len(digest) == content.DIGEST


def test_pillows_limit_of_pixels_does_not_count(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    for kind in ("JPEG", "PNG", "TIFF", "BMP", "GIF", "JPEG2000"):
        assert opening.open_rgb(encoded(kind), max_side=0).image.size == (160, 120), kind
