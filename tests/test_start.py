"""What starting a command loads: a library is imported only by the work that needs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable

import pytest

from contrique_cli.cli.app import PANELS
from tests.conftest import ROOT, make_photo

HEAVY = ("torch", "torchvision", "pandas", "pyarrow", "sklearn", "scipy", "openpyxl", "sympy")


def loaded(*args: object, names: Iterable[str] = HEAVY) -> set[str]:
    """Those of some modules, by default heavy ones, that a command has loaded when it is done."""
    code = (
        "import json, sys\n"
        "from contrique_cli.cli.app import app\n"
        "try:\n    app(sys.argv[1:], prog_name='contrique')\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        f"print('\\n' + json.dumps([name for name in {tuple(names)} if name in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, args)],
        cwd=ROOT,
        capture_output=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("form", ["csv", "json"])
def test_scoring_loads_what_computes_and_known_photos_load_nothing(photos, tmp_path, form):
    args = ("score", photos, "--quiet", "--output")
    assert loaded(*args, tmp_path / f"first.{form}") <= {"torch", "sympy"}
    assert loaded(*args, tmp_path / f"again.{form}") == set()
    first, again = (tmp_path / f"{name}.{form}" for name in ("first", "again"))
    assert first.read_bytes() == again.read_bytes()
    make_photo(9).save(photos / "new.jpg")
    assert "torch" in loaded(*args, again)


def test_acting_on_a_report_loads_what_reads_tables(photos, tmp_path):
    report = tmp_path / "r.csv"
    loaded("score", photos, "--quiet", "--output", report)
    reading = loaded("select", "--from", report, "--list")
    assert "pandas" in reading
    assert reading <= {"pandas", "pyarrow"}  # which pandas itself may load


def test_a_command_is_loaded_without_the_others(photos, tmp_path):
    files = "score watch compare explain features select rate undo fit evaluate train models"
    names = [f"contrique_cli.cli.{name}" for name in files.split()]
    assert loaded("cache", "info", names=names) == set()
    scoring = loaded("score", photos, "--quiet", "--output", tmp_path / "r.csv", names=names)
    assert names[0] in scoring
    assert not scoring.intersection(names[8:])
    assert loaded("--help", names=names) == set(names)


@pytest.mark.parametrize("name", [name for names in PANELS.values() for name in names])
def test_every_command_is_listed_and_has_help(contrique, name):
    listed, own = contrique("--help"), contrique(name, "--help")
    assert name in listed.out
    assert own.status == 0
    assert f" {name} " in own.out


@pytest.mark.parametrize(
    ("option", "message"),
    [(("--device", "abacus"), "--device cpu"), (("--precision", "int3"), "choose one of auto")],
)
def test_a_wrong_device_or_precision_is_refused_where_every_photo_is_known(
    contrique, photos, option, message
):
    args = ("score", photos)
    assert contrique(*args).status == 0
    refused = contrique(*args, *option)
    assert refused.status in (1, 2)
    assert message in refused.err
    assert refused.out == ""
