"""The shell completes commands, options and values; the real shells are asked."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from contrique_cli.cli import completion
from tests.conftest import ROOT


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`contrique` on the path, as an installation puts it."""
    file = tmp_path / "bin" / "contrique"
    file.parent.mkdir()
    file.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m contrique_cli "$@"\n')
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{file.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return file


def ask(shell: str, script: str) -> list[str]:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run([shell, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_bash_completes_the_values_of_an_option(program):
    script = (
        'eval "$(_CONTRIQUE_COMPLETE=source_bash contrique)"\n'
        "COMP_WORDS=(contrique score photos --format js); COMP_CWORD=4\n"
        "_contrique_completion contrique\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    assert ask("bash", script) == ["json", "jsonl"]


def test_zsh_completes_the_names_of_models(program, tiny_regressor):
    script = (
        "function compdef() { : }\n"
        "function _arguments() { print -r -- $1 }\n"
        'eval "$(_CONTRIQUE_COMPLETE=source_zsh contrique)"\n'
        "words=(contrique score --regressor ti); CURRENT=4; _contrique_completion\n"
    )
    assert "tiny" in " ".join(ask("zsh", script))


def test_fish_completes_commands(program):
    script = "_CONTRIQUE_COMPLETE=source_fish contrique | source; complete -C 'contrique exp'"
    assert ask("fish", script)[0] == "explain"


def test_names_of_models_are_found_by_kind_and_beginning(tiny_regressor):
    assert completion.regressors("") == ["default", "fast", "tiny"]
    assert completion.models("d") == ["default"]
    assert completion.models("x") == []


def test_after_a_separator_come_folders_and_model_files(tiny_regressor, home, monkeypatch):
    monkeypatch.chdir(home)
    (home / "regressors" / "notes.txt").write_text("")
    assert completion.regressors("./re") == ["./regressors/"]
    assert completion.regressors("./regressors/") == ["./regressors/tiny.safetensors"]
    assert completion.models("./no/such/") == []


def test_completing_a_model_loads_nothing_heavy(tiny_regressor):
    code = (
        "import sys; from contrique_cli.cli import app, completion; completion.regressors('')\n"
        "print({'torch', 'numpy', 'PIL', 'safetensors'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert done.stdout.strip() == b"set()"
