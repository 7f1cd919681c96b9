"""The command line as a whole: homes that cannot be entered, and names of strangers."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from contrique_cli.cli.app import app
from tests.conftest import ROOT, make_photo, without_privileges

INTERRUPTED = """
import signal, sys
class Interrupt:
    def find_spec(self, name, *_):
        if name == "contrique_cli.cli.app":
            signal.raise_signal(signal.SIGINT)
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Interrupt())
from contrique_cli.__main__ import main
main()
"""

TINY = ("--regressor", "tiny", "--device", "cpu")


@pytest.mark.parametrize("kind", ["closed", "missing", "file"])
@pytest.mark.usefixtures("tiny_regressor")
def test_a_home_that_cannot_be_entered_is_a_line(contrique, tmp_path, monkeypatch, home, kind):
    desk = tmp_path / "desk"
    desk.mkdir(mode=0o777)
    make_photo(0, 64, 48).save(desk / "a.jpg")
    shutil.copy(home / "regressors" / "tiny.safetensors", desk / "tiny.safetensors")
    for path in desk.iterdir():
        path.chmod(0o644)
    desk.chmod(0o777)
    closed = tmp_path / "closed"
    closed.mkdir()
    place = {"closed": closed / "in", "missing": Path("/nonexistent"), "file": desk / "a.jpg"}[kind]
    contrique("score", desk, *TINY)  # loads what is needed while it may be read
    contrique("models")
    closed.chmod(0o700)
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "HOME"):
        monkeypatch.setenv(name, str(place))
    closed.chmod(0o000)
    commands = {
        ("models",): 0,
        ("cache", "info"): 0,
        ("cache", "clear"): 0,
        ("score", desk / "a.jpg", "--device", "cpu", "--precision", "fp32"): 0,
        ("score", desk / "a.jpg", *TINY): 1,
        ("score", desk / "a.jpg", "--regressor", closed / "in" / "x.safetensors"): 1,
        ("models", "import", desk / "tiny.safetensors"): 1,
        ("select", "--from", closed / "in" / "r.csv", "--list"): 1,
    }
    with without_privileges(desk):
        for command, status in commands.items():
            done = contrique(*command)
            assert (command, done.status) == (command, status), done.err
            assert done.err.count("error:") == (status == 1)


@pytest.mark.usefixtures("tiny_regressor")
def test_names_of_models_cannot_drive_a_terminal_and_are_no_markup(
    contrique, home, monkeypatch, tmp_path
):
    sound = home / "regressors" / "tiny.safetensors"
    for name in ("evil\x1b[31m", "[bold]mine", "[y]", "new\nline"):
        shutil.copy(sound, sound.with_name(f"{name}.safetensors"))
    done = contrique("models")
    assert (done.status, "\x1b" in done.out + done.err) == (0, False)
    for shown in ("evil\\x1b[31m", "[bold]mine", "[y]", "new\\nline"):
        assert shown in done.out
    odd = tmp_path / "x[" / "y]" / "contrique" / "regressors"
    odd.mkdir(parents=True)
    shutil.copy(sound, odd / "a.safetensors")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "x[" / "y]"))
    done = contrique("models")
    assert (done.status, "Traceback" in done.err) == (0, False)


def test_no_help_is_taken_for_markup(contrique, monkeypatch):
    """Defaults in brackets once vanished: "What to call it ."."""
    monkeypatch.setenv("COLUMNS", "200")
    commands = get_command(app).commands
    leaves = [
        leaf for one in commands.values() for leaf in getattr(one, "commands", {"": one}).values()
    ]
    texts = [parameter.help or "" for leaf in leaves for parameter in leaf.params]
    assert len(texts) > 100
    assert [text for text in texts if "[" in text] == []
    assert "[default: (from the file's name)]" in contrique("models", "import", "--help").out
    shown = contrique("train", "--help").out
    for default in ("256", "all", "0.6 x views per step / 1024", "resnet50"):
        assert f"[default: ({default})]" in shown


def test_an_interrupt_while_the_program_loads_leaves_no_traceback():
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], cwd=ROOT, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")


@pytest.mark.parametrize(
    "command",
    [
        ("score", ""),
        ("score", "", "--xmp"),
        ("score", ".", "--gallery="),
        ("select", "--from", "r.csv", "--to", "", "--move"),
        ("select", "--from", "r.csv", "--to=", "--move"),
        ("rate", "--from", "r.csv", "--base", ""),
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("tiny_regressor")
def test_a_variable_that_is_not_set_is_not_the_current_folder(
    contrique, tmp_path, monkeypatch, command
):
    (tmp_path / "photos").mkdir()
    make_photo(0, 64, 48).save(tmp_path / "photos" / "a.jpg")
    (tmp_path / "r.csv").write_text("path,score\nphotos/a.jpg,50\n")
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    done = contrique(*command, *(TINY if command[0] == "score" else ()))
    assert done.status == 2
    assert "perhaps a variable" in done.err
    assert sorted(tmp_path.rglob("*")) == before
    wanted = contrique("select", "--from", "r.csv", "--where=note=", "--list")
    assert wanted.out == "photos/a.jpg\n"
