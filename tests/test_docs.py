"""README says what is so: its commands run, its test command is CI's, its figures are the files'."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from contrique_cli import __version__
from tests.conftest import ROOT, blurred, make_photo

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.strip() and "pip install" not in line
]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as README's reader has it: photos, originals, copies, tables, and the program."""
    folder = tmp_path / "desk"
    for name in ("photos", "originals", "copies", "bin"):
        (folder / name).mkdir(parents=True)
    lines, pairs = ["path,mos"], ["path,reference,mos"]
    for seed in range(30):
        name = "abc"[seed] if seed < 3 else f"{seed:02}"
        original = make_photo(seed, 64, 48)
        copy = blurred(original, seed / 10)
        copy.save(folder / "photos" / f"{name}.jpg")
        original.save(folder / "originals" / f"{name}.png")
        copy.save(folder / "copies" / f"{name}.png")
        lines.append(f"photos/{name}.jpg,{5 - seed / 10}")
        pairs.append(f"copies/{name}.png,originals/{name}.png,{5 - seed / 10}")
    for half in ("pristine", "authentic"):
        (folder / "data" / half).mkdir(parents=True)
        for seed in range(6):
            make_photo(seed, 72, 70).save(folder / "data" / half / f"{seed}.png")
    for table in ("scores", "other"):
        (folder / f"{table}.csv").write_text("\n".join(lines))
    (folder / "pairs.csv").write_text("\n".join(pairs))
    program = folder / "bin" / "contrique"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m contrique_cli "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    python = shutil.which("python3") or sys.executable
    (folder / "bin" / "python3").symlink_to(python)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return folder


def run_in_shell(command: str) -> tuple[int, str]:
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_every_command_of_readme_runs_in_order(desk, contrique, monkeypatch):
    monkeypatch.chdir(desk)
    assert len(COMMANDS) > 10
    for line in COMMANDS:
        command = line.split("  #")[0]
        if "|" in command:
            status, text = run_in_shell(command)
        else:
            outcome = contrique(*shlex.split(command)[1:])
            status, text = outcome.status, outcome.out + outcome.err
        assert status == 0, f"{command}\n{text}"


@pytest.mark.parametrize(
    "command",
    ["score", "features", "fit-regressor", "evaluate", "models", "cache", "cache info"],
)
def test_the_example_in_a_commands_help_runs(desk, contrique, monkeypatch, command):
    monkeypatch.chdir(desk)
    text = " ".join(contrique(*command.split(), "--help").out.split())
    example = re.search(r"Example: contrique (.*?) (?:Exit status|Options|Arguments)", text)
    done = contrique(*shlex.split(example.group(1)))
    assert done.status == 0, done.err


def test_ci_runs_the_test_command_of_readme():
    command = next(
        line for line in README.splitlines() if "pytest" in line and line.startswith("python3 -m")
    )
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()


def test_the_floor_plan_of_readme_names_every_room():
    plan = README[README.index("roof ") : README.index("Nouns import only")]
    rooms = {path.stem for path in (ROOT / "contrique_cli").glob("*.py")} - {"__init__", "__main__"}
    houses = {path.parent.name + "/" for path in (ROOT / "contrique_cli").glob("*/__init__.py")}
    assert rooms | houses <= set(plan.split())


def test_the_version_is_in_the_changelog():
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()
