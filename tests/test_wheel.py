"""The built wheel, installed alone, scores a photo with what it carries."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from contrique_cli.reports import rows
from tests.conftest import ROOT, make_photo

MAX_WHEEL_MB = 20


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the tracked and new files, so that no build folder is left behind."""
    source = tmp_path_factory.mktemp("source")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    ).stdout
    names = [Path(os.fsdecode(name)) for name in listed.split(b"\0") if name]
    if not names:  # an unpacked archive rather than a clone
        names = [
            path.relative_to(ROOT)
            for path in ROOT.rglob("*")
            if path.is_file()
            and path.relative_to(ROOT).parts[0]
            in ("contrique_cli", "pyproject.toml", "README.md", "LICENSE", "NOTICE")
        ]
    for name in names:
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    target = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "--wheel-dir",
            target,
            source,
        ],
        check=True,
    )
    return next(target.glob("contrique-*.whl"))


def test_the_wheel_holds_the_package_and_its_model_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert len(tops) == 2
    assert "contrique_cli" in tops
    assert "contrique_cli/models/bundled/encoders/default.safetensors" in names
    assert "contrique_cli/models/bundled/regressors/default.safetensors" in names
    assert "contrique_cli/py.typed" in names
    assert "contrique_cli/reports/page/page.html" in names
    assert wheel.stat().st_size < MAX_WHEEL_MB * 1e6


def test_the_wheel_alone_scores_a_photo_with_the_bundled_model(wheel, tmp_path, monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)  # it would come before the wheel
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    site = Path(
        subprocess.run(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            capture_output=True,
            check=True,
            text=True,
        ).stdout.strip()
    )
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-index",
            "--target",
            site,
            wheel,
        ],
        check=True,
    )
    # the dependencies come from the environment of the tests, behind the wheel's own files
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    make_photo().save(tmp_path / "a.jpg")
    done = subprocess.run(
        [python, "-P", "-m", "contrique_cli", "score", "a.jpg"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    header, row = done.stdout.splitlines()
    assert header == ",".join(rows.COLUMNS)
    assert row.startswith("1,a.jpg,")
    where = subprocess.run(
        [python, "-P", "-c", "import contrique_cli; print(contrique_cli.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
        text=True,
    )
    assert where.stdout.startswith(str(tmp_path))
