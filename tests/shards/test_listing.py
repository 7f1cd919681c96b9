"""Which shards there are, in one order, and whose turn each is."""

from __future__ import annotations

from collections import Counter

import pytest

from contrique_cli.errors import BadOption, NoImagesFound
from contrique_cli.shards import listing
from contrique_cli.shards.listing import FOLDER, PARQUET, TAR, Shard, Turn


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(*sources):
    left_out: Counter[str] = Counter()
    return listing.find(map(str, sources), left_out), left_out


def test_a_folder_holds_tars_tables_and_photos_at_any_depth(tmp_path):
    touch(
        tmp_path / "all",
        *("a/1.tar", "a/0.tar.gz", "2.TGZ", "3.parquet", "note.txt", ".hidden.tar"),
        *("photos/x.jpg", "photos/_y.png", "photos/deep/z.webp"),
    )
    shards, left_out = found(tmp_path / "all")
    assert [(shard.name, shard.kind) for shard in shards] == [
        ("2", TAR),
        ("3", PARQUET),
        ("a/0", TAR),
        ("a/1", TAR),
        ("photos", FOLDER),
        ("photos/deep", FOLDER),
    ]
    assert shards[4].source == f"{tmp_path}/all/photos"
    assert left_out == {"neither shard nor photo": 1}


def test_photos_in_the_folder_itself_are_a_shard_of_its_name(tmp_path, monkeypatch):
    touch(tmp_path / "trip", "x.jpg")
    monkeypatch.chdir(tmp_path / "trip")
    for source in (f"{tmp_path}/trip", f"{tmp_path}/trip/", "."):
        assert [shard.name for shard in found(source)[0]] == ["trip"]


def test_img2datasets_table_beside_a_tar_is_no_shard(tmp_path):
    touch(tmp_path, "0.tar", "0.parquet", "1.parquet", "0_stats.json")
    for sources in ([tmp_path], [tmp_path / name for name in ("0.tar", "0.parquet", "1.parquet")]):
        shards, left_out = found(*sources)
        assert [(shard.name, shard.kind) for shard in shards] == [("0", TAR), ("1", PARQUET)]
        assert left_out["about a tar file"] == 1


def test_results_are_no_shards_wherever_they_lie(tmp_path):
    inner = ("a/scores/_contrique.json", "a/scores/0.parquet", "a/scores/deep/1.parquet")
    touch(tmp_path, "a/0.tar", *inner, "a/scores2/2.parquet")
    shards, left_out = found(tmp_path)
    assert [shard.name for shard in shards] == ["a/0", "a/scores2/2"]
    assert left_out == {"in a folder of results": 3}
    with pytest.raises(NoImagesFound, match="no shard found"):
        found(tmp_path / "a" / "scores")


def test_a_shard_named_twice_is_one(tmp_path):
    touch(tmp_path, "0.tar")
    assert len(found(tmp_path / "0.tar", tmp_path / "0.tar")[0]) == 1


def test_two_results_of_one_name_are_refused(tmp_path):
    touch(tmp_path, "a/0.tar", "b/0.tar")
    with pytest.raises(BadOption, match=r"a/0.tar and .*b/0.tar would share the result 0:"):
        found(tmp_path / "a/0.tar", tmp_path / "b/0.tar")
    assert [shard.name for shard in found(tmp_path)[0]] == ["a/0", "b/0"]


def test_a_single_photo_is_no_shard(tmp_path):
    touch(tmp_path, "a.jpg", "text/b.txt")
    with pytest.raises(BadOption, match=r"a.jpg is no shard: give .tar"):
        found(tmp_path / "a.jpg")
    with pytest.raises(NoImagesFound, match="no shard found"):
        found(tmp_path / "text")


def test_a_folder_that_holds_itself_is_searched_once(tmp_path):
    touch(tmp_path / "a", "0.tar")
    (tmp_path / "a" / "again").symlink_to(tmp_path / "a")
    assert len(found(tmp_path / "a")[0]) == 1


def test_a_large_folder_is_divided_by_its_photos_names(monkeypatch):
    monkeypatch.setattr(listing, "PART", 10)
    folder = Shard(source="in/trip", name="trip", kind=FOLDER, photos=25)
    parts = listing.divide([folder], ())
    assert [part.name for part in parts] == [f"trip.0000{part}-of-00004" for part in range(4)]
    names = [f"{number}.jpg" for number in range(25)]
    assert [sum(part.holds(name) for part in parts) for name in names] == [1] * 25
    assert all(any(part.holds(name) for name in names) for part in parts)
    small = Shard(source="in/small", name="small", kind=FOLDER, photos=10)
    tar = Shard(source="in/a.tar", name="a", kind=TAR)
    assert listing.divide([small, tar], ()) == [small, tar]
    assert all(small.holds(name) for name in names)


def test_results_that_are_there_say_how_a_folder_is_divided(monkeypatch):
    monkeypatch.setattr(listing, "PART", 10)
    grown = Shard(source="in/trip", name="trip", kind=FOLDER, photos=1000)
    assert len(listing.divide([grown], {"trip.00001-of-00004", "other"})) == 4
    assert listing.divide([grown], {"trip"}) == [grown]
    assert len(listing.divide([grown], {"other.00001-of-00004"})) == 128


def test_turns_share_all_shards_without_overlap():
    shards = [Shard(source=str(number), name=str(number), kind=TAR) for number in range(50)]
    parts = [Turn.parse(f"{number}/16").take(shards) for number in range(1, 17)]
    assert sorted((shard for part in parts for shard in part), key=shards.index) == shards
    assert {len(part) for part in parts} == {3, 4}
    assert Turn().take(shards) == shards


@pytest.mark.parametrize("text", ["0/16", "17/16", "3", "3/", "a/b", "-1/4", "1/0"])
def test_what_is_no_turn_is_refused(text):
    with pytest.raises(BadOption, match="as 3/16"):
        Turn.parse(text)


def test_a_url_is_a_shard_by_its_path():
    url = "https://host/data/00001.tar.gz?X-Amz-Signature=secret"
    assert [(one.name, one.kind) for one in found(url)[0]] == [("00001", TAR)]
