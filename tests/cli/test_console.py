"""Talk and progress: bounded, harmless to a terminal, and silent where nobody watches."""

from __future__ import annotations

import io

import pytest

from contrique_cli.cli import console


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("count", [1, 5, 7])
def test_five_lines_are_said_and_the_others_counted(capsys, count):
    console.name_some((str(number) for number in range(count)), count, rest=" in the report")
    said = capsys.readouterr().err.splitlines()
    assert said[:5] == [f"  {number}" for number in range(min(count, 5))]
    assert said[5:] == (["  ... and 2 more in the report"] if count == 7 else [])


def test_nothing_said_can_drive_a_terminal(capsys):
    console.say("a\x1b[2Jb\u202ec\udcff")
    assert capsys.readouterr().err == "a\\x1b[2Jb\\u202ec\\udcff\n"


def test_a_bar_is_drawn_on_a_terminal_only(monkeypatch, capsys):
    with console.progress("scoring", 2) as advance:
        advance()
    with console.described() as show:
        assert not show("step 1", 0.5)
    assert capsys.readouterr().err == ""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with console.progress("scoring", None) as advance:
        advance(2)
    with console.described() as show:
        assert show("step 1", 0.5)
    assert "scoring" in terminal.getvalue()
    assert "step 1" in terminal.getvalue()
    assert console.progress("scoring", 2, quiet=True).__enter__()() is None
