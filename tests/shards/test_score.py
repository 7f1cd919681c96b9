"""The stream through all shards: few photos at once, and nothing left of what was not finished."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from contrique_cli.errors import CannotWrite, ShardError, Unreadable
from contrique_cli.photos.opening import Encoded
from contrique_cli.reports.rows import Row
from contrique_cli.shards import listing, places, score
from contrique_cli.shards.parquets import Columns
from contrique_cli.shards.results import Folder
from tests.shards.samples import write_tar


def judge(photos: Iterable[object]) -> Iterator[Row]:
    """Scores as long as the bytes, three photos behind the reading, as threads are."""
    ahead = []
    for photo in photos:
        ahead.append(photo)
        if len(ahead) > 3:
            yield row(ahead.pop(0))
    yield from map(row, ahead)


def row(photo) -> Row:
    if isinstance(photo, Unreadable):
        return Row(path=photo.path, error=photo.reason)
    return Row(path=photo.path, score=float(len(photo.data)))


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def start(*sources, judging=judge):
        unreached: list[ShardError] = []
        stream = score.score(
            listing.find(sources, Counter()),
            Folder(place="out", format="jsonl"),
            judging,
            columns=Columns(),
            left_out=Counter(),
            unreached=unreached,
        )
        return stream, unreached

    return start


def test_shards_follow_each_other_and_empty_ones_have_results_too(run):
    write_tar(Path("in/a.tar"), {"1.jpg": b"1", "2.jpg": b"22"})
    write_tar(Path("in/b.tar"), {})
    write_tar(Path("in/c.tar"), {"3.jpg": b"333"})
    write_tar(Path("in/d.tar"), {})
    stream, _ = run("in")
    assert [(one.shard, one.member, one.row.score) for one in stream] == [
        ("in/a.tar", "1.jpg", 1.0),
        ("in/a.tar", "2.jpg", 2.0),
        ("in/c.tar", "3.jpg", 3.0),
    ]
    lines = {path.stem: len(path.read_text().splitlines()) for path in Path("out").iterdir()}
    assert lines == {"a": 2, "b": 0, "c": 1, "d": 0}


def test_only_the_photos_under_way_are_held(run):
    write_tar(Path("a.tar"), {f"{number}.jpg": b"x" for number in range(500)})
    held: list[int] = []
    alive: set[int] = set()

    class Counted(Encoded):
        def __del__(self) -> None:
            alive.discard(id(self))

    def counting(photos):
        def wrapped():
            for photo in photos:
                one = Counted(**{f.name: getattr(photo, f.name) for f in dataclasses.fields(photo)})
                alive.add(id(one))
                yield one

        for found in judge(wrapped()):
            held.append(len(alive))
            yield found

    stream, _ = run("a.tar", judging=counting)
    assert len(list(stream)) == 500
    assert max(held) < 10


def test_whoever_stops_early_leaves_whole_results_only(run):
    write_tar(Path("in/a.tar"), {"1.jpg": b"1", "2.jpg": b"22"})
    write_tar(Path("in/b.tar"), {f"{number}.jpg": b"x" for number in range(3, 99)})
    stream, _ = run("in")
    for _ in range(10):
        next(stream)
    stream.close()
    assert [path.name for path in Path("out").iterdir()] == ["a.jsonl"]


def test_a_shard_that_fails_outside_of_it_has_no_result_and_the_next_goes_on(run, monkeypatch):
    write_tar(Path("in/a.tar"), {f"{number}.jpg": bytes(50_000) for number in range(9)})
    write_tar(Path("in/b.tar"), {"x.jpg": b"x"})
    read = places._Guarded.read

    def fail(self, size=-1):
        if self._source == "in/a.tar" and self._file.tell() > 200_000:
            raise ShardError("in/a.tar cannot be reached: gone")
        return read(self, size)

    monkeypatch.setattr(places._Guarded, "read", fail)
    stream, unreached = run("in")
    assert "x.jpg" in [one.member for one in stream]
    assert [str(problem) for problem in unreached] == ["in/a.tar cannot be reached: gone"]
    assert [path.name for path in Path("out").iterdir()] == ["b.jsonl"]


def test_a_result_that_cannot_be_written_ends_the_run_in_words(run):
    write_tar(Path("a.tar"), {"1.jpg": b"1"})
    Path("out/a.jsonl").mkdir(parents=True)
    with pytest.raises(CannotWrite, match="is a folder"):
        list(run("a.tar")[0])
