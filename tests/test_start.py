"""What starting a command loads: a library is imported only by the work that needs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT, make_photo

HEAVY = ("torch", "torchvision", "pandas", "pyarrow", "sklearn", "scipy", "openpyxl", "sympy")


def loaded(*args: object) -> set[str]:
    """Heavy packages that a command has loaded when it is done."""
    code = (
        "import json, sys\n"
        "from contrique_cli.cli.app import app\n"
        "try:\n    app(sys.argv[1:], prog_name='contrique')\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        f"print('\\n' + json.dumps([name for name in {HEAVY} if name in sys.modules]))"
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


def test_acting_on_a_report_loads_nothing(photos, tmp_path):
    report = tmp_path / "r.csv"
    loaded("score", photos, "--quiet", "--output", report)
    assert loaded("select", "--from", report, "--list") == set()


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
