"""What tests of several commands need."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from contrique_cli.reports.rows import Row
from tests.conftest import blurred, make_photo
from tests.reported import JPEG, SCORES, write


@pytest.fixture
def rated(tmp_path: Path) -> Path:
    """scores.csv and pairs.csv beside 30 photos of falling sharpness."""
    lines, pairs = ["path,mos"], ["path,reference,mos"]
    for seed in range(30):
        original = make_photo(seed % 6, 64, 48)
        original.save(tmp_path / f"original{seed}.png")
        blurred(original, seed / 8).save(tmp_path / f"{seed}.png")
        lines.append(f"{seed}.png,{5 - seed / 8}")
        pairs.append(f"{seed}.png,original{seed}.png,{5 - seed / 8}")
    (tmp_path / "scores.csv").write_text("\n".join(lines))
    (tmp_path / "pairs.csv").write_text("\n".join(pairs))
    return tmp_path


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: four files that begin as photos do, and their report."""
    folder = tmp_path / "desk"
    rows = [Row(path=Path(name), score=score, flaw="none") for name, score in SCORES.items()]
    for row in rows:
        (folder / row.path).parent.mkdir(parents=True, exist_ok=True)
        (folder / row.path).write_bytes(JPEG + os.fsencode(row.path))
    monkeypatch.chdir(folder)
    write([*rows, Row(path=Path("bad.jpg"), error="no photo")])
    return folder
