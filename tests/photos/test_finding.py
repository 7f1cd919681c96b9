"""Paths to photos: in order, each once, and what is left out counted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from contrique_cli.errors import Unreadable
from contrique_cli.photos import finding


def names(sources: list[Path], left_out: Counter[str] | None = None) -> list[str]:
    found = finding.find(sources, Counter() if left_out is None else left_out)
    return [f"!{one.reason}" if isinstance(one, Unreadable) else one.name for one in found]


# ---------------------------------------------------------------------------------- finding


def test_a_folder_gives_its_photos_in_name_order_at_any_depth(tmp_path):
    for name in ("b/2.PNG", "b/10.jpg", "a.webp", "c.tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert names([tmp_path]) == ["a.webp", "c.tif", "10.jpg", "2.PNG"]


def test_hidden_and_foreign_files_are_left_out_and_counted(tmp_path):
    for name in (".hidden.jpg", "notes.txt", "a.jpg", "movie.mp4", "b.XMP", "c.xmp", "Makefile"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / ".thumbs").mkdir()
    left_out = Counter()
    assert names([tmp_path], left_out) == ["a.jpg"]
    assert left_out == {"hidden": 2, ".txt": 1, ".mp4": 1, ".xmp": 2, "files without a suffix": 1}


def test_jpeg_xl_is_left_out_of_folders_with_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "a.JXL").write_bytes(b"x")
    left_out = Counter()
    monkeypatch.setattr(finding, "find_spec", lambda _: None)
    assert names([tmp_path], left_out) == []
    assert left_out == {".jxl (pip install 'contrique[jxl]')": 1}
    monkeypatch.setattr(finding, "find_spec", lambda _: "there")
    assert names([tmp_path], Counter()) == ["a.JXL"]


def test_a_file_named_by_the_user_is_taken_whatever_its_suffix(tmp_path):
    (tmp_path / "photo.dat").write_bytes(b"x")
    assert names([tmp_path / "photo.dat"]) == ["photo.dat"]


def test_a_missing_path_and_a_broken_link_are_rows_with_a_reason(tmp_path):
    (tmp_path / "broken.jpg").symlink_to(tmp_path / "nowhere.jpg")
    assert names([tmp_path / "gone.jpg", tmp_path]) == ["!no such file", "!no such file"]


def test_symlink_loops_end(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"x")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    (tmp_path / "self.jpg").symlink_to("self.jpg")
    found = names([tmp_path])
    assert found[0] == "a.jpg"
    assert len(found) == 2
    assert "symbolic links" in found[1]


def test_one_file_by_several_names_is_scored_once_and_counted(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"x")
    (tmp_path / "hard.jpg").hardlink_to(tmp_path / "a.jpg")
    (tmp_path / "soft.jpg").symlink_to("a.jpg")
    left_out = Counter()
    dotted = tmp_path / "." / "a.jpg"
    assert names([tmp_path, dotted, tmp_path], left_out) == ["a.jpg"]
    assert left_out["listed already"] == 3
