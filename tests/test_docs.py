"""README says what is so: its commands run, its test command is CI's, its figures are the files'."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from contrique_cli.version import __version__
from tests.conftest import ROOT, blurred, make_photo
from tests.test_architecture import ROOMS

README = (ROOT / "README.md").read_text(encoding="utf-8")
COOKBOOK = re.search(r"\n### Recipes\n.*?(?=\n## )", README, re.DOTALL).group()


def lines_of(text: str) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.strip() and "pip install" not in line]


COMMANDS = lines_of(README.replace(COOKBOOK, ""))
TOOLS = ("jq", "find", "xargs", "exiftool", "bash")


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
    (folder / "report.csv").write_text("path,score\nphotos/a.jpg,50\n")
    picked = {"format": "contrique-picks", "version": 1, "folder": str(folder)}
    picked["photos"] = [{"path": "photos/a.jpg", "rating": 5}]
    (folder / "picks.json").write_text(json.dumps(picked))
    (folder / "shards").mkdir()
    with tarfile.open(folder / "shards" / "00000.tar", "w") as tar:
        tar.add(folder / "photos" / "a.jpg", "000000.jpg")
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


def records(file: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in Path(file).read_text().splitlines()]


def test_every_recipe_of_the_cookbook_runs_and_does_what_it_says(desk, contrique, monkeypatch):
    monkeypatch.chdir(desk)
    (desk / "photos" / "a.jpg").rename(desk / "photos" / "-odd 'name\n.jpg")
    (desk / "photos" / "broken.jpg").write_text("no picture")  # some photos have no score
    (desk / "bin" / "python3").unlink()
    # On purpose no link: Python would look for its packages beside the link.
    (desk / "bin" / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (desk / "bin" / "python3").chmod(0o755)
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    recipes = [line for line in lines_of(COOKBOOK) if not set(missing) & set(line.split())]
    for line in recipes:
        if re.search(r"[|&>;]", line):
            status, text = run_in_shell(f"set -o pipefail; {line}")
        else:
            words = shlex.split(line)
            if words[0] == "contrique":
                outcome = contrique(*words[1:])
                status, text = outcome.status, outcome.err
            else:
                status, text = run_in_shell(line)
        assert status in ((0, 3) if "contrique score" in line else (0,)), f"{line}\n{text}"
    if missing:
        pytest.skip(f"the recipes with {', '.join(missing)} did not run")
    scores = {row["path"]: row["score"] for row in records("report.jsonl")}
    keywords = run_in_shell("exiftool -s3 -Subject photos/b.jpg")[1].strip()
    assert keywords == f"quality-{int(scores['photos/b.jpg'] // 10)}0"


@pytest.mark.parametrize(
    "command",
    [
        *("score", "explain", "select", "gallery", "rate", "features", "fit-regressor"),
        *("evaluate", "models"),
        *("cache", "cache info"),
    ],
)
def test_the_example_in_a_commands_help_runs(desk, contrique, monkeypatch, command):
    monkeypatch.chdir(desk)
    text = " ".join(contrique(*command.split(), "--help").out.split())
    example = re.search(
        r"Examples?: contrique (.*?) (?:Exit status|contrique|With|What is|╭)", text
    )
    done = contrique(*shlex.split(example.group(1)))
    assert done.status == 0, done.err


def test_ci_runs_the_test_command_of_readme():
    command = next(
        line for line in README.splitlines() if "pytest" in line and line.startswith("python3 -m")
    )
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()


def test_the_floor_plan_of_readme_is_the_tree():
    plan = README[README.index("errors version config ") : README.index("A file imports only")]
    names = re.findall(r"^(.*?)  ", plan, flags=re.MULTILINE)
    assert " ".join(names).replace("/", "").split() == list(ROOMS)


def test_the_version_is_in_the_changelog():
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()
