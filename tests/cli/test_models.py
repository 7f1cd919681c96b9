"""The commands about models."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from contrique_cli.models import regressor


@pytest.mark.usefixtures("tiny_regressor")
def test_a_damaged_model_is_listed_with_its_problem(contrique, home):
    (home / "encoders" / "broken.safetensors").write_bytes(b"x")
    done = contrique("models")
    assert done.status == 0
    assert re.search(r"^encoder +default +bundled +lite0-branched *$", done.out, re.MULTILINE)
    assert re.search(r"^encoder +broken +you +cannot be used: ", done.out, re.MULTILINE)


@pytest.mark.usefixtures("tiny_regressor")
@pytest.mark.parametrize("columns", ["20", "80"])
def test_a_model_is_shown_whole_and_its_path_in_one_piece(contrique, home, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    done = contrique("models", "show", "tiny")
    assert done.status == 0
    for kind in ("encoder", "regressor"):
        assert f"{kind} tiny\n" in done.out
        assert f" {home / f'{kind}s' / 'tiny.safetensors'}\n" in done.out
    unknown = contrique("models", "show", "nope")
    assert (unknown.status, "there is: default, fast, tiny" in unknown.err) == (1, True)


def test_a_regressor_of_full_resolution_says_so(contrique, home, tiny_regressor):
    whole = replace(tiny_regressor, max_side=0)
    regressor.save(home / "regressors" / "whole.safetensors", whole)
    listed = contrique("models").out
    assert re.search(
        r"^regressor +whole +you +of encoder tiny, at full resolution *$", listed, re.MULTILINE
    )
    assert "  working size  full resolution\n" in contrique("models", "show", "whole").out


def test_a_foreign_file_is_not_imported(contrique, tmp_path):
    (tmp_path / "x.save").write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.")
    done = contrique("models", "import", tmp_path / "x.save")
    assert done.status == 1
    assert done.err.startswith("error: ")
    assert not Path("pwned").exists()
