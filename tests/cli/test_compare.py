"""The command compare."""

from __future__ import annotations

import csv
import io

import pytest

TINY = ("--model", "tiny", "--device", "cpu")


@pytest.mark.usefixtures("tiny_regressor")
def test_references_and_copies_are_compared(contrique, rated):
    fitted = contrique(
        "fit-regressor", "--mos", rated / "pairs.csv", "--reference-column", "reference", *TINY
    )
    assert fitted.status == 0, fitted.err
    done = contrique("compare", rated / "original5.png", rated / "5.png", "--regressor", "pairs")
    (row,) = csv.DictReader(io.StringIO(done.out))
    assert done.status == 0
    assert row["reference"].endswith("original5.png")
    assert 0 <= float(row["score"]) <= 100
    refused = contrique("score", rated / "5.png", "--regressor", "pairs")
    assert refused.status == 1
    assert "contrique compare" in refused.err
    opinions = ("evaluate", "--mos", rated / "pairs.csv", "--regressor", "pairs")
    assert "`evaluate` with --reference-column" in contrique(*opinions).err
    assert contrique(*opinions, "--reference-column", "reference").status == 0
    assert contrique("compare", rated / "gone.png", rated / "5.png").status == 1


@pytest.mark.parametrize("model", [(), ("--model", "tiny")], ids=["default", "tiny"])
@pytest.mark.usefixtures("tiny_regressor")
def test_what_is_to_be_fitted_first_is_said_by_names(contrique, rated, model):
    done = contrique("compare", rated / "original5.png", rated / "5.png", *model)
    assert done.status == 1
    name = model[1] if model else "default"
    command = "contrique fit-regressor --mos scores.csv --reference-column COLUMN"
    given = " ".join(("", *model))
    assert f"for the encoder {name}: fit one with {command}{given} --output NAME" in done.err
