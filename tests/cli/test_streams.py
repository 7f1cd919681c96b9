"""Standard streams in every state that a shell, a daemon or a full disk may leave them in."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import make_photo, spawn
from tests.hostile import forks

TINY = ("--regressor", "tiny", "--device", "cpu", "--no-cache")


@pytest.fixture
def desk(tmp_path: Path, tiny_regressor: object, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a photo, its report, and names that no stream is made for."""
    monkeypatch.chdir(tmp_path)
    make_photo(0, 64, 48).save("\N{LATIN SMALL LETTER E WITH ACUTE}\N{CAMERA}.jpg")
    Path("r.csv").write_text("path,score\n\N{LATIN SMALL LETTER E WITH ACUTE}\N{CAMERA}.jpg,50\n")
    return tmp_path


COMMANDS = {
    "help": ("--help",),
    "version": ("--version",),
    "models": ("models",),
    "score": ("score", ".", "--format", "csv", *TINY),
    "stream": ("score", ".", "--format", "jsonl", *TINY),
    "table": ("score", ".", "--format", "table", *TINY),
    "file": ("score", ".", "--output", "out.csv", *TINY),
    "list from standard input": ("score", "-", *TINY),
    "select": ("select", "--from", "r.csv", "--list"),
    "copy": ("select", "--from", "r.csv", "--to", "to", "--copy"),
    "report from standard input": ("select", "--from", "-", "--list"),
}
FULL = "/dev/full"


@pytest.fixture
def run(desk: Path) -> Iterator[object]:
    """Run a command with streams by number: a file's name, or None for a closed one."""
    with ExitStack() as stack:

        def run(*args: object, **states: str | None) -> tuple[int, str]:
            Path("err.txt").write_bytes(b"")
            names = {"stdin": os.devnull, "stdout": os.devnull, "stderr": "err.txt"} | states
            streams = [
                None
                if name is None
                else os.open(name, os.O_RDONLY if stream == "stdin" else os.O_WRONLY)
                for stream, name in names.items()
            ]
            for one in streams:
                if one is not None:
                    stack.callback(os.close, one)
            return forks.main(args, streams), forks.read_all(Path("err.txt"))

        yield run


STATES = {
    "error closed": {"stderr": None},
    "output closed": {"stdout": None},
    "output full": {"stdout": FULL},
    "all closed": {"stdin": None, "stdout": None, "stderr": None},
    "both full": {"stdout": FULL, "stderr": FULL},
}


@pytest.mark.skipif(not os.path.exists(FULL), reason="needs a device that is always full")
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("command", COMMANDS)
def test_no_state_of_the_streams_ends_in_a_traceback(run, command, state):
    status, err = run(*COMMANDS[command], **STATES[state])
    assert "Traceback" not in err
    assert status in (0, 1, 2)
    speaks = command not in ("file", "copy") and "input" not in command
    if "stdout" in STATES[state] and speaks:
        assert status == 1
    if "output" in state and speaks:
        assert err.count("error: standard output cannot be written") == 1
    if state.startswith("error"):
        assert status == run(*COMMANDS[command])[0]
    if command == "file":
        assert Path("out.csv").read_bytes().count(b"\n") == 2
    assert Path("r.csv").read_text().startswith("path,score\n")  # nothing took a stream's number


@pytest.mark.skipif(not os.path.exists("/dev/stderr"), reason="needs names for open files")
@pytest.mark.parametrize("name", ["/dev/stderr", "/dev/fd/2"])
def test_a_report_may_go_to_standard_error(run, name):
    """Whose number stands for nothing while we work, so that libraries' lines go nowhere."""
    status, err = run("score", ".", "--format", "csv", "--output", name, *TINY)
    assert status == 0
    assert err.startswith("rank,path,score")
    assert f"1 of 1 photo scored, report in {name}\n" in err


def test_what_cannot_be_encoded_is_escaped(run):
    """In a plain C locale, say."""
    Path("out.txt").write_bytes(b"")
    for command in ("table", "stream", "select", "copy"):
        status, err = run(*COMMANDS[command], stdout="out.txt")
        assert (status, "Traceback" in err) == (0, False)


def test_lines_of_libraries_do_not_reach_the_terminal(run, monkeypatch):
    """libtiff and others write to standard error past Python; so do warnings."""
    monkeypatch.setattr("contrique_cli.models.installed.user_folder", _noisy)
    status, err = run("models")
    assert status == 0
    assert "noise" not in err
    assert "says all there is to say of one" in err


def _noisy() -> Path:
    import logging
    import warnings

    os.write(2, b"noise of a C library\n")
    warnings.warn("noise of Python", stacklevel=1)
    logging.getLogger("noise").warning("noise of a logger")
    return Path("mine")


@pytest.fixture
def folder(tmp_path: Path, tiny_regressor: object) -> Path:
    folder = tmp_path / "many"
    folder.mkdir()
    make_photo(0, 64, 48).save(folder / "0.png")
    for number in range(1, 400):
        os.link(folder / "0.png", folder / f"{number}.png")
    return folder


def test_a_reader_of_talk_that_goes_away_costs_no_report(tiny_regressor, photos, tmp_path):
    """As in `contrique score photos --output r.csv 2>&1 | head -1`."""
    (photos / "bad.jpg").write_bytes(b"x")
    output = tmp_path / "r.csv"
    read, write = os.pipe()
    os.close(read)
    with spawn(["score", photos, "--output", output, *TINY], stdout=write, stderr=write) as program:
        os.close(write)
        assert program.wait(120) == 3
    assert output.read_bytes().count(b"\n") == 5


def test_a_reader_of_the_report_that_goes_away_ends_the_program_as_it_ends_others(run):
    read, write = os.pipe()
    os.close(read)
    status, err = run(*COMMANDS["stream"], stdout=f"/dev/fd/{write}")
    os.close(write)
    assert (status, err) == (-signal.SIGPIPE, "")


@pytest.mark.parametrize("command", ["list from standard input", "report from standard input"])
def test_a_closed_standard_input_is_said_to_be(run, command):
    status, err = run(*COMMANDS[command], stdin=None)
    assert (status, err) == (1, "error: standard input cannot be read (bad file descriptor)\n")


@pytest.mark.parametrize(("name", "pauses"), [("SIGTERM", (0.0, 2.0)), ("SIGHUP", (1.0,))])
def test_a_signal_writes_what_is_done_and_keeps_an_old_report_from_an_empty_one(
    folder, tmp_path, name, pauses
):
    output = tmp_path / "r.csv"
    output.write_text("old")
    number = getattr(signal, name)
    for pause in pauses:
        with spawn(["score", folder, "--output", output, *TINY], stderr=subprocess.PIPE) as program:
            while program.poll() is None and not _has_handler(program.pid, number):
                time.sleep(0.02)
            time.sleep(pause)
            program.send_signal(number)
            err = program.stderr.read().decode()
            status = program.wait(60)
            is_late = status == -number and "photos scored" in err  # Python was ending already
            assert status in (0, 130) or is_late, err
        assert "Traceback" not in err
        text = output.read_text()
        assert text == "old" or text.count("\n") > 1, err
        output.write_text("old")


def _has_handler(process: int, number: int) -> bool:
    """Whether a process has come far enough to handle a signal."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False
    caught = next((line for line in status.splitlines() if line.startswith("SigCgt")), "SigCgt: 0")
    hup = int(caught.split()[1], 16) >> (signal.SIGHUP - 1) & 1
    return bool(hup)
