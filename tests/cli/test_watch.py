"""The command watch, from the shell to its last line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from contrique_cli.cli import watch as cli_watch
from contrique_cli.reports import reading
from tests.conftest import make_photo, spawn
from tests.dng import save_dng
from tests.sidecars import packet

TINY = ("--regressor", "tiny", "--device", "cpu", "--interval", "0.1")


# ------------------------------------------------------------------------------ the program


@pytest.fixture
def folder(tmp_path: Path, tiny_regressor: object) -> Path:
    folder = tmp_path / "incoming"
    folder.mkdir()
    make_photo(0).save(folder / "first.jpg")
    return folder


def wait_for(target: Path, count: int, program: subprocess.Popen[bytes]) -> list[dict]:
    for _ in range(1200):
        lines = target.read_bytes().splitlines() if target.exists() else []
        if len(lines) >= count:
            return [json.loads(line) for line in lines]
        if program.poll() is not None:
            pytest.fail(f"it ended: {program.stderr.read()}")
        time.sleep(0.05)
    pytest.fail(f"only {lines}")


def stop(program: subprocess.Popen[bytes], signum: int) -> str:
    program.send_signal(signum)
    err = program.stderr.read().decode()
    assert program.wait(timeout=60) == 0, err
    return err


def watching(folder: Path, *options: object, **pipes: object) -> subprocess.Popen[bytes]:
    return spawn(["watch", folder, *options, *TINY], stderr=subprocess.PIPE, **pipes)


def test_photos_are_lines_as_they_arrive_until_ctrl_c(folder, tmp_path):
    target = tmp_path / "report.jsonl"
    with watching(folder, "--output", target) as program:
        assert Path(wait_for(target, 1, program)[0]["path"]).name == "first.jpg"
        whole = (folder / "first.jpg").read_bytes()
        (folder / "sub").mkdir()
        (folder / "sub" / "second.jpg").write_bytes(whole)
        (folder / "bad.jpg").write_bytes(whole[: len(whole) // 2])
        rows = {Path(row["path"]).name: row for row in wait_for(target, 3, program)}
        assert rows["second.jpg"]["score"] is not None
        assert rows["bad.jpg"]["score"] is None
        assert rows["bad.jpg"]["error"]
        (folder / "bad.jpg").write_bytes(whole)
        assert wait_for(target, 4, program)[3]["score"] is not None
        err = stop(program, signal.SIGINT)
    assert "stopped: 3 photos scored, 1 failed" in err
    assert "Traceback" not in err


class FewLooks:
    """Stands in for `time`: after so many looks, a second apart, somebody presses Ctrl-C."""

    def __init__(self, count: int) -> None:
        self.now, self.end = 0.0, float(count)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, _seconds: float) -> None:
        self.now += 1
        if self.now >= self.end:
            raise KeyboardInterrupt


@pytest.fixture
def look(contrique, folder, tmp_path, monkeypatch):
    """Watch for three looks and give the names in the report, then what was said."""

    def watch(*options: object) -> tuple[list[str], str]:
        target = tmp_path / "report.jsonl"
        monkeypatch.setattr(cli_watch, "time", FewLooks(3))
        done = contrique("watch", folder, "-o", target, *options, *TINY)
        assert done.status == 0, done.err
        rows = [json.loads(line) for line in target.read_bytes().splitlines()]
        return [Path(row["path"]).name for row in rows], done.err

    return watch


def test_a_second_watch_continues_the_report(look, folder):
    assert look()[0] == ["first.jpg"]
    make_photo(1).save(folder / "second.jpg")
    names, err = look()
    assert names == ["first.jpg", "second.jpg"]
    assert "stopped: 1 photo scored, 0 failed, report in" in err
    later = time.time() + 10**6
    os.utime(folder / "first.jpg", (later, later))
    for _ in range(2):  # a date in the future once added a line at each restart
        assert look()[0] == ["first.jpg", "second.jpg", "first.jpg"]


def test_an_older_photo_put_in_place_of_one_that_was_scored_is_scored(look, folder, tmp_path):
    look()
    make_photo(9).save(tmp_path / "older.jpg")
    os.utime(tmp_path / "older.jpg", (1, 1))
    (tmp_path / "older.jpg").replace(folder / "first.jpg")
    assert look()[0] == ["first.jpg"] * 2
    one, other = map(json.loads, (tmp_path / "report.jsonl").read_bytes().splitlines())
    assert one["score"] != other["score"]


def test_a_pair_is_one_line_and_a_report_has_it_once(contrique, look, folder, tmp_path):
    pytest.importorskip("rawpy")
    save_dng(folder / "first.dng", make_photo(3, 160, 120))
    (folder / "first.dng").rename(tmp_path / "first.dng")
    assert look()[0] == ["first.jpg"]
    (tmp_path / "first.dng").rename(folder / "first.dng")
    (folder / "first.dng.xmp").write_bytes(packet('xmp:Rating="4"'))
    save_dng(folder / "second.dng", make_photo(4, 160, 120))
    names, err = look()
    assert sorted(names[1:]) == ["first.jpg", "second.dng"]
    assert "2 photos scored" in err
    make_photo(5).save(folder / "second.jpg")
    assert look()[0][3:] == ["second.jpg"]
    assert look()[0][4:] == []  # all is known
    found = contrique("select", "--from", tmp_path / "report.jsonl", "--output", tmp_path / "a.csv")
    assert found.status == 0
    rows = {row.path.name: row for row in reading.read((tmp_path / "a.csv").read_bytes(), "a.csv")}
    assert sorted(rows) == ["first.jpg", "second.jpg"]
    assert rows["first.jpg"].companion == folder / "first.dng"
    assert rows["first.jpg"].rating == 4
    names, _ = look("--no-pairs")
    assert sorted(names[4:]) == ["first.dng", "first.jpg", "second.jpg"]  # second.dng is known


def test_a_second_watch_of_one_report_is_refused(contrique, folder, tmp_path):
    target = tmp_path / "report.jsonl"
    with watching(folder, "--output", target) as program:
        wait_for(target, 1, program)
        done = contrique("watch", folder, "-o", target, *TINY)
        assert (done.status, "another watch writes it" in done.err) == (1, True)
        stop(program, signal.SIGINT)
    assert len(target.read_bytes().splitlines()) == 1


def test_a_report_cut_short_is_mended_and_its_last_photo_scored_again(look, folder, tmp_path):
    make_photo(1).save(folder / "second.jpg")
    assert look()[0] == ["first.jpg", "second.jpg"]
    target = tmp_path / "report.jsonl"
    target.write_bytes(target.read_bytes()[:-30])
    names, err = look()
    assert names == ["first.jpg", "second.jpg"]
    assert "the last line was cut short and is removed" in err


def test_what_failed_is_tried_again_by_the_next_watch(look, folder):
    (folder / "first.jpg").write_bytes(b"x")
    assert [look()[0] for _ in range(2)] == [["first.jpg"], ["first.jpg"] * 2]


def test_quiet_says_nothing(look):
    assert look("--quiet") == (["first.jpg"], "")


def test_a_broken_link_is_one_line(look, folder):
    (folder / "link.jpg").symlink_to(folder / "nowhere.jpg")
    assert sorted(look()[0]) == ["first.jpg", "link.jpg"]


@pytest.fixture
def quiet_reader(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with watching(folder, "--quiet", stdout=subprocess.PIPE) as program:
        yield program


def test_without_output_lines_go_to_standard_output_and_a_closed_reader_ends_it(
    folder, quiet_reader
):
    row = json.loads(quiet_reader.stdout.readline())
    assert Path(row["path"]).name == "first.jpg"
    quiet_reader.stdout.close()
    make_photo(1).save(folder / "second.jpg")
    assert quiet_reader.wait(timeout=60) == -signal.SIGPIPE
    assert quiet_reader.stderr.read() == b""


def test_a_report_that_cannot_grow_is_refused(contrique, folder):
    done = contrique("watch", folder, "--output", "report.csv", *TINY)
    assert (done.status, "end it in .jsonl" in done.err) == (2, True)


@pytest.mark.parametrize("cache", [(), ("--no-cache",)])
def test_an_option_that_cannot_be_had_is_refused_and_nothing_is_watched(contrique, folder, cache):
    done = contrique("watch", folder, "--precision", "foo", *cache, *TINY)
    assert (done.status, "watching" in done.err) == (2, False)
    assert "choose one of auto, fp32" in done.err


@pytest.mark.parametrize("path", ["-", "no/such/folder", __file__])
def test_what_is_no_folder_cannot_be_watched(contrique, folder, path):
    done = contrique("watch", path, *TINY)
    assert (done.status, "only folders are watched" in done.err) == (2, True)
