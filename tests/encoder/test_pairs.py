"""Pairs of photos: matched by name, opened once, compared only at one size."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from contrique_cli.encoder import backend, features, pairs
from contrique_cli.encoder.pairs import Pair
from contrique_cli.encoder.work import Work
from contrique_cli.errors import BadOption, NoImagesFound, Unreadable
from contrique_cli.photos import decoding, opening
from tests.conftest import blurred, make_photo


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("old", "new"):
        (tmp_path / name / "deep").mkdir(parents=True)
    return tmp_path / "old", tmp_path / "new"


def fill(folder: Path, *names: str) -> None:
    for name in names:
        make_photo(0, 64, 48).save(folder / name)


def matched(old: Path, new: Path) -> tuple[list[tuple[str, str]], dict[str, str]]:
    found = pairs.match(old, new, Counter())
    couples = [
        (str(one.reference.relative_to(old)), str(one.path.relative_to(new))) for one in found.pairs
    ]
    return couples, {one.path.name: one.reason for one in found.unmatched}


def test_folders_are_matched_by_path_then_by_path_without_suffix(folders):
    old, new = folders
    fill(old, "a.png", "b.png", "deep/a.png", "c.png", "c.bmp", "d.png", "only.png")
    fill(new, "a.png", "b.jpg", "b.webp", "deep/a.jpg", "c.jpg", "c.bmp", "e.png", "deep/d.png")
    couples, unmatched = matched(old, new)
    assert couples == [
        ("a.png", "a.png"),
        ("b.png", "b.jpg"),
        ("b.png", "b.webp"),
        ("c.bmp", "c.bmp"),
        ("deep/a.png", "deep/a.jpg"),
    ]
    assert unmatched == {
        "c.jpg": f"it could belong to c.bmp or c.png in {old}",
        "e.png": f"no photo of that name in {old}",
        "d.png": f"no photo of that name in {new}",
        "c.png": f"no photo of that name in {new}",
        "only.png": f"no photo of that name in {new}",
    }


def test_one_reference_serves_a_folder_and_two_files_are_a_pair(folders):
    old, new = folders
    fill(old, "a.png")
    fill(new, "x.png", "y.png")
    listed = pairs.match(old / "a.png", new, Counter()).pairs
    assert listed == [Pair(old / "a.png", new / "x.png"), Pair(old / "a.png", new / "y.png")]
    assert pairs.match(old / "a.png", new / "x.png", Counter()).pairs == listed[:1]


def test_nothing_in_common_and_a_folder_for_a_file_are_refused(folders):
    old, new = folders
    with pytest.raises(NoImagesFound, match=r"no photo in common$"):
        pairs.match(old, new, Counter())
    fill(old, "a.png")
    fill(new, "b.png")
    with pytest.raises(NoImagesFound, match=r"no photo in common \(.*b.png: no photo of that name"):
        pairs.match(old, new, Counter())
    with pytest.raises(BadOption, match="give two folders, or files"):
        pairs.match(old, new / "b.png", Counter())


def test_features_are_the_differences_and_each_run_of_a_reference_is_opened_once(
    tmp_path, tiny, monkeypatch
):
    for seed in (0, 1):
        make_photo(seed, 64, 48).save(tmp_path / f"{seed}.png")
        for radius in (1, 2):
            blurred(make_photo(seed, 64, 48), radius).save(tmp_path / f"{seed}_{radius}.png")
    opened: Counter[str] = Counter()
    real = opening.open_rgb

    def spy(path: Path, **options: object) -> decoding.Photo:
        opened[path.name] += 1
        return real(path, **options)

    monkeypatch.setattr(opening, "open_rgb", spy)
    listed = [
        Pair(tmp_path / f"{seed}.png", tmp_path / f"{seed}_{radius}.png")
        for seed in (0, 1)
        for radius in (1, 2)
    ]
    found = list(pairs.extract(listed, tiny, Work(max_side=0)))
    assert set(opened.values()) == {1}
    for pair, one in zip(listed, found, strict=True):
        first, second = features.extract(pair, backend.Embed(tiny), Work(max_side=0))
        assert np.array_equal(one.values, np.abs(first.values - second.values))
        assert (one.path, one.width, one.height) == (pair.path, 64, 48)


def test_a_bad_photo_of_a_pair_is_one_row_and_the_next_goes_on(tmp_path, tiny):
    fill(tmp_path, "a.png")
    make_photo(0, 48, 64).save(tmp_path / "upright.png")
    (tmp_path / "bad.png").write_text("no photo")
    names = [("a", "bad"), ("bad", "a"), ("a", "upright"), ("gone", "bad"), ("a", "a")]
    listed = [Pair(tmp_path / f"{one}.png", tmp_path / f"{two}.png") for one, two in names]
    found = list(pairs.extract(listed, tiny, Work(max_side=0)))
    assert [str(one.path.stem) for one in found] == [two for _, two in names]
    reasons = [one.reason if isinstance(one, Unreadable) else None for one in found]
    assert reasons == [
        "not a photo but a text",
        f"reference {tmp_path / 'bad.png'}: not a photo but a text",
        (
            f"48x64, but its reference {tmp_path / 'a.png'} has 64x48: "
            "only photos of one size can be compared"
        ),
        "not a photo but a text",
        None,
    ]
    assert not found[-1].values.any()


def test_upright_sizes_count_not_those_in_the_file(tmp_path, tiny):
    photo = make_photo(0, 64, 48)
    photo.save(tmp_path / "a.png")
    turned = photo.transpose(2)  # Image.Transpose.ROTATE_90
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "b.png", exif=exif)
    (found,) = pairs.extract([Pair(tmp_path / "a.png", tmp_path / "b.png")], tiny, Work(max_side=0))
    assert not found.values.any()
