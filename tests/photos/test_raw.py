"""RAW files: preview or sensor data, sizes, orientation, time, and what a bad one says."""

from __future__ import annotations

import csv
import io
import os
import sys
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contrique_cli.errors import Unreadable
from contrique_cli.photos import decoding, opening
from tests.conftest import make_photo
from tests.dng import save_dng

MOTIF = make_photo(3, 320, 240)
TILT = {1: None, 3: 3, 6: 4, 8: 2}  # orientation to the transposition that shows it upright


def open_raw(path: Path, **options) -> decoding.Photo:
    return opening.open_rgb(path, **{"max_side": 128, **options})


def reason(path: Path, **options) -> str:
    with pytest.raises(Unreadable) as caught:
        open_raw(path, **options)
    return caught.value.reason


def distance(photo: decoding.Photo, expected: Image.Image) -> float:
    """Mean difference in levels after both are equally bright, which developing does not keep."""
    seen, wanted = (
        np.asarray(image.convert("L"), float)
        for image in (photo.image, expected.resize(photo.image.size))
    )
    return float(
        np.abs((seen - seen.mean()) / seen.std() - (wanted - wanted.mean()) / wanted.std()).mean()
    )


def test_without_the_extra_the_reason_says_what_to_install(tmp_path, monkeypatch):
    save_dng(tmp_path / "a.dng", MOTIF)
    monkeypatch.setitem(sys.modules, "rawpy", None)
    assert reason(tmp_path / "a.dng") == "RAW needs the extra package: pip install 'contrique[raw]'"


def test_an_ordinary_jpeg_under_a_raw_suffix_opens_as_what_it_is(tmp_path):
    MOTIF.save(tmp_path / "a.dng", "JPEG")
    assert open_raw(tmp_path / "a.dng").source == "photo"


@pytest.mark.skipif(find_spec("rawpy") is None, reason="needs rawpy")
class TestWithRawpy:
    def test_a_raw_file_without_preview_is_developed(self, tmp_path):
        save_dng(tmp_path / "a.dng", MOTIF)
        photo = open_raw(tmp_path / "a.dng")
        assert (photo.source, photo.width, photo.height) == ("raw", 320, 240)
        assert photo.image.size == (128, 96)
        assert distance(photo, MOTIF) < 0.15

    def test_bytes_with_a_name_are_developed_like_the_file(self, tmp_path):
        save_dng(tmp_path / "a.dng", MOTIF)
        photo = open_raw((tmp_path / "a.dng").read_bytes(), name=Path("in.tar/a.dng"))
        assert (photo.source, photo.path) == ("raw", Path("in.tar/a.dng"))
        assert np.array_equal(
            np.asarray(photo.image), np.asarray(open_raw(tmp_path / "a.dng").image)
        )

    def test_a_large_enough_preview_is_taken_instead(self, tmp_path):
        save_dng(tmp_path / "a.dng", MOTIF, preview=make_photo(9, 160, 120))
        photo = open_raw(tmp_path / "a.dng")
        assert (photo.source, photo.width, photo.height) == ("preview", 320, 240)
        assert distance(photo, make_photo(9, 160, 120)) < 0.15

    def test_a_preview_below_working_size_is_not_enough(self, tmp_path):
        save_dng(tmp_path / "a.dng", MOTIF, preview=make_photo(9, 160, 120))
        photo = open_raw(tmp_path / "a.dng", max_side=0)
        assert (photo.source, photo.image.size) == ("raw", (320, 240))
        assert open_raw(tmp_path / "a.dng", max_side=200).source == "raw"

    def test_a_preview_of_nearly_all_pixels_counts_as_whole(self, tmp_path):
        save_dng(tmp_path / "a.dng", MOTIF, preview=MOTIF.crop((5, 5, 315, 235)))
        photo = open_raw(tmp_path / "a.dng", max_side=0)
        assert (photo.source, photo.width, photo.image.size) == ("preview", 320, (310, 230))

    @pytest.mark.parametrize("orientation", TILT)
    @pytest.mark.parametrize("preview", [None, MOTIF])
    def test_a_tilted_raw_file_comes_out_upright(self, tmp_path, orientation, preview):
        save_dng(tmp_path / "a.dng", MOTIF, preview=preview, orientation=orientation)
        upright = MOTIF if orientation == 1 else MOTIF.transpose(TILT[orientation])
        photo = open_raw(tmp_path / "a.dng")
        assert (photo.width, photo.height) == upright.size
        assert distance(photo, upright) < 0.15

    def test_a_preview_that_stands_upright_already_is_not_turned_again(self, tmp_path):
        upright = MOTIF.transpose(TILT[6])
        save_dng(tmp_path / "a.dng", MOTIF, preview=upright, orientation=6)
        photo = open_raw(tmp_path / "a.dng")
        assert (photo.source, photo.image.size) == ("preview", (96, 128))
        assert distance(photo, upright) < 0.15

    def test_a_damaged_preview_leaves_the_sensor_data(self, tmp_path):
        save_dng(tmp_path / "a.dng", MOTIF, preview=b"\xff\xd8\xff" + b"x" * 500)
        assert open_raw(tmp_path / "a.dng").source == "raw"

    def test_darkness_is_not_brightened_away(self, tmp_path):
        dark = MOTIF.point(lambda level: level // 4)
        save_dng(tmp_path / "a.dng", MOTIF)
        save_dng(tmp_path / "dark.dng", dark)
        bright, dim = (
            np.asarray(open_raw(tmp_path / name).image).mean() for name in ("a.dng", "dark.dng")
        )
        assert dim < bright / 2

    def test_the_time_comes_from_the_raw_file(self, tmp_path):
        save_dng(tmp_path / "a.dng", MOTIF, taken="2023:01:02 03:04:05")
        assert open_raw(tmp_path / "a.dng").taken == datetime(2023, 1, 2, 3, 4, 5)  # noqa: DTZ001 - a camera knows no zone

    def test_what_is_no_raw_file_or_promises_too_much_is_one_row(self, tmp_path):
        (tmp_path / "text.nef").write_bytes(b"hello" * 100)
        (tmp_path / "empty.cr3").write_bytes(b"")
        save_dng(tmp_path / "a.dng", MOTIF)
        save_dng(tmp_path / "huge.dng", MOTIF, promised=(20000, 20000))
        assert reason(tmp_path / "text.nef") == "not a RAW file that LibRaw knows, or damaged"
        assert reason(tmp_path / "empty.cr3") == "the file is empty"
        assert "over the limit of 0.01" in reason(tmp_path / "a.dng", max_megapixels=0.01)
        assert reason(tmp_path / "huge.dng").startswith("damaged: LibRaw says")

    def test_a_truncated_raw_file_without_preview_is_unreadable(self, tmp_path):
        save_dng(tmp_path / "a.dng", MOTIF, promised=(320, 4000))
        assert reason(tmp_path / "a.dng") == "damaged: LibRaw says input/output error"

    def test_a_file_over_the_limit_is_not_read_into_memory(self, tmp_path, monkeypatch):
        save_dng(tmp_path / "a.dng", MOTIF)
        monkeypatch.setattr("contrique_cli.photos.raw.MAX_BYTES", 1000)
        assert "over the limit" in reason(tmp_path / "a.dng")

    def test_a_name_that_is_not_utf8_opens(self, tmp_path):
        save_dng(tmp_path / "a.dng", MOTIF)
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.dng"))
        (tmp_path / "a.dng").rename(path)
        assert open_raw(path).source == "raw"

    @pytest.mark.usefixtures("tiny_regressor")
    def test_the_report_says_what_was_decoded(self, contrique, tmp_path):
        folder = tmp_path / "photos"
        folder.mkdir()
        save_dng(folder / "a.dng", MOTIF)
        save_dng(folder / "b.DNG", MOTIF, preview=MOTIF)
        MOTIF.save(folder / "b.jpg")
        done = contrique("score", folder, "--no-pairs", "--regressor", "tiny", "--device", "cpu")
        table = {Path(row["path"]).name: row for row in csv.DictReader(io.StringIO(done.out))}
        sources = {name: row["source"] for name, row in table.items()}
        assert sources == {"a.dng": "raw", "b.DNG": "preview", "b.jpg": "photo"}
        assert {row["width"] for row in table.values()} == {"320"}
