"""Reports of a command: where they go, in what form, and the exit status."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import make_photo, spawn

pytestmark = pytest.mark.usefixtures("tiny_regressor")


TINY = ("--regressor", "tiny", "--device", "cpu")


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("suffix", ["csv", "json", "jsonl", "ndjson"])
def test_the_suffix_of_the_output_picks_the_format(contrique, photos, tmp_path, suffix):
    target = tmp_path / f"report.{suffix}"
    done = contrique("score", photos, "--output", target, *TINY)
    text = target.read_text()
    assert (done.status, done.out) == (0, "")
    if suffix == "csv":
        assert len(rows(text)) == 3
    elif suffix == "json":
        document = json.loads(text)
        assert document["schema"] == 1
        assert [photo["rank"] for photo in document["photos"]] == [1, 2, 3]
        assert len(document["encoder"]) == 64
    else:
        assert [json.loads(line)["rank"] for line in text.splitlines()] == [None] * 3


def test_format_overrides_the_suffix(contrique, photos, tmp_path):
    contrique("score", photos, "-o", tmp_path / "report.txt", "--format", "json", *TINY)
    assert json.loads((tmp_path / "report.txt").read_text())["schema"] == 1


@pytest.mark.parametrize("form", ["csv", "json", None])
def test_a_dash_as_output_is_standard_output(contrique, photos, tmp_path, monkeypatch, form):
    monkeypatch.chdir(tmp_path)
    options = () if form is None else ("--format", form)
    done = contrique("score", photos, *options, *TINY)
    dashed = contrique("score", photos, *options, "--output", "-", *TINY)
    assert dashed == done
    Path("r.csv").write_bytes(contrique("score", photos, *TINY).out.encode())
    chosen = contrique("select", "--from", "r.csv", "--output", "-")
    assert chosen == contrique("select", "--from", "r.csv")
    assert not Path("-").exists()


def test_some_failures_exit_with_3_and_are_rows(contrique, photos):
    (photos / "bad.jpg").write_bytes(b"not a photo")
    done = contrique("score", photos, photos / "gone.jpg", *TINY)
    table = rows(done.out)
    assert done.status == 3
    assert [row["error"] for row in table[3:]] == [
        "not a photo but a text",
        "no such file",
    ]
    assert [row["score"] for row in table[3:]] == ["", ""]
    assert "bad.jpg: not a photo but a text" in done.err


def test_nothing_to_score_exits_with_1_and_says_what_next(contrique, tmp_path):
    tmp_path = tmp_path / "empty"
    tmp_path.mkdir()
    (tmp_path / "notes.txt").write_text("x")
    done = contrique("score", tmp_path, *TINY)
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("error: no photo found (left out: 1 .txt); give")
    (tmp_path / "bad.jpg").write_bytes(b"x")
    assert contrique("score", tmp_path, *TINY).status == 1


def test_fail_under_exits_with_4(contrique, photos):
    scores = [float(row["score"]) for row in rows(contrique("score", photos, *TINY).out)]
    assert contrique("score", photos, "--fail-under", min(scores) - 0.1, *TINY).status == 0
    done = contrique("score", photos, "--fail-under", max(scores) - 0.1, *TINY)
    assert done.status == 4
    assert "2 photos below" in done.err


@pytest.mark.parametrize("separator", [b"\n", b"\r\n", b"\0"])
@pytest.mark.parametrize("ending", [True, False])
def test_paths_come_from_standard_input(contrique, photos, separator, ending):
    names = [os.fsencode(photos / name) for name in ("a.jpg", "b.jpg")]
    stdin = separator.join(names) + (separator if ending else b"")
    done = contrique("score", "-", *TINY, stdin=stdin)
    assert (done.status, len(rows(done.out))) == (0, 2)


def test_an_unwritable_output_is_known_before_the_work(contrique, photos, tmp_path):
    done = contrique("score", photos, "-o", tmp_path / "no" / "r.csv", *TINY)
    words = f"r.csv cannot be written: there is no folder {tmp_path / 'no'}; make it"
    assert (done.status, done.out, words in done.err) == (1, "", True)


def test_a_failed_write_keeps_the_old_report_and_prints_the_new(
    contrique, photos, tmp_path, monkeypatch
):
    from contrique_cli.files import writing

    target = tmp_path / "report.csv"
    target.write_text("old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing.os, "fsync", full)
    done = contrique("score", photos, "-o", target, *TINY)
    assert (done.status, target.read_text()) == (1, "old")
    assert len(rows(done.out)) == 3
    assert "no space left on device" in done.err
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


def test_json_lines_stream_while_photos_are_still_coming(photos):
    with spawn(
        ["score", "-", "--format", "jsonl", *TINY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,  # a line that was read ahead would be lost to `communicate`
    ) as program:
        for name in ("a.jpg", "b.jpg", "c.jpg"):  # decoding runs ahead by a few photos
            program.stdin.write(os.fsencode(photos / name) + b"\n")
        program.stdin.flush()
        assert json.loads(program.stdout.readline())["path"].endswith("a.jpg")
        assert program.poll() is None
        rest, _ = program.communicate()
        assert len(rest.splitlines()) == 2
        assert program.returncode == 0


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_exits_with_130_and_writes_what_was_done(photos, tmp_path, signum):
    target = tmp_path / "report.csv"
    make_photo(0, 2400, 1800).save(photos / "large.bmp")  # the work must be long
    for number in range(100):
        shutil.copy(photos / "large.bmp", photos / f"{number:02}.bmp")
    with spawn(
        ["score", photos, "-o", target, "--workers", 1, *TINY], stderr=subprocess.PIPE
    ) as program:
        wait_until_open(program, re.compile(r"/[0-9][5-9]\.bmp"))
        program.send_signal(signum)
        err = program.stderr.read()
        assert program.wait(timeout=60) == 130, err
    assert b"interrupted" in err
    assert 0 < len(rows(target.read_text())) < 100


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_stream_exits_with_130_and_keeps_its_lines(photos, signum):
    with spawn(
        ["score", "-", "--format", "jsonl", "--workers", 1, *TINY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as program:
        program.stdin.write(b"".join(os.fsencode(photos / f"{n}.jpg\n") for n in "abc"))
        program.stdin.flush()  # and it never ends
        assert json.loads(program.stdout.readline())["score"] is not None
        program.send_signal(signum)
        err = program.stderr.read()
        assert program.wait(timeout=60) == 130, err
    assert b"interrupted" in err


def wait_until_open(program: subprocess.Popen, name: re.Pattern[str]) -> None:
    """Until the program has a photo of such a name open: it decodes only two photos ahead."""
    descriptors = Path(f"/proc/{program.pid}/fd")
    for _ in range(30_000):
        for descriptor in descriptors.iterdir():
            with contextlib.suppress(OSError):
                if name.search(os.readlink(descriptor)):
                    return
        time.sleep(0.002)
    pytest.fail("the program never came to that photo")


def test_an_interruption_before_the_first_photo_keeps_the_old_report(
    contrique, photos, tmp_path, monkeypatch
):
    from contrique_cli.scoring import score as verb

    def interrupted(*_args: object, **_options: object) -> Iterator[object]:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(verb, "score", interrupted)
    for name in ("report.csv", "report.jsonl"):
        (tmp_path / name).write_text("old")
        done = contrique("score", photos, "--output", tmp_path / name, *TINY)
        assert (done.status, (tmp_path / name).read_text()) == (130, "old")


def test_a_reader_that_goes_away_is_no_error(photos):
    with spawn(
        ["score", photos, "-f", "jsonl", *TINY], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as program:
        program.stdout.close()
        err = program.stderr.read()
        assert program.wait(timeout=60) == -signal.SIGPIPE
    assert err == b""
