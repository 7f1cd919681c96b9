"""The command fit-regressor, and what its regressors are good for."""

from __future__ import annotations

import csv
import io
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch

from contrique_cli import config
from contrique_cli.encoder import checkpoint
from contrique_cli.encoder.model import Contrique
from contrique_cli.models import regressor
from tests.conftest import make_photo

TINY = ("--model", "tiny", "--device", "cpu")


@pytest.mark.usefixtures("tiny_regressor")
def test_a_regressor_is_fitted_named_used_and_evaluated(contrique, rated, home):
    with (rated / "scores.csv").open("a") as file:
        file.write("\ngone.png,3\n")
    done = contrique("fit-regressor", "--mos", rated / "scores.csv", *TINY, "-o", "mine")
    assert done.status == 0
    for word in ("SROCC", "PLCC", "KROCC", "RMSE", "10 random 80/20 splits"):
        assert word in done.out
    assert "row 32: " in done.err
    assert "gone.png" in done.err
    assert (home / "regressors" / "mine.safetensors").is_file()
    scored = contrique("score", rated / "0.png", "--regressor", "mine", "--device", "cpu")
    assert scored.status == 0
    judged = contrique("evaluate", "--mos", rated / "scores.csv", "--regressor", "mine")
    assert judged.status == 0
    assert "95 % interval" in judged.out
    assert "fitted to 30 of these 30 photos" in judged.err
    listed = contrique("models").out
    assert re.search(
        r"^regressor +mine +you +of encoder tiny, at 768 pixels, SROCC \S+ *$",
        listed,
        re.MULTILINE,
    )
    shown = contrique("models", "show", "mine").out
    assert "srocc" in shown
    assert "marks" not in shown


@pytest.mark.usefixtures("tiny_regressor")
def test_what_a_fit_says_to_use_it_with_works_word_by_word(contrique, rated, tmp_path):
    encoder = tmp_path / "my encoder.safetensors"
    checkpoint.save(encoder, Contrique("tiny"), provenance={})
    table = ("--mos", rated / "scores.csv", "--device", "cpu")
    done = contrique("fit-regressor", *table, "--model", encoder, "-o", "my taste")
    assert done.status == 0
    options = shlex.split(done.err.partition("use it with ")[2])
    assert options == ["--regressor", "my taste", "--model", str(encoder)]
    assert contrique("score", rated / "0.png", *options, "--device", "cpu").status == 0
    again = contrique("fit-regressor", *table, "--model", encoder, "-o", "my taste")
    assert again.err == done.err.replace("saved ", "replaced ")


@pytest.mark.usefixtures("tiny_regressor")
def test_a_file_is_known_by_its_suffix_in_capitals_too(contrique, rated, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = contrique("fit-regressor", "--mos", rated / "scores.csv", *TINY, "-o", "A.SAFETENSORS")
    assert (done.status, Path("A.SAFETENSORS").is_file()) == (0, True)


@pytest.mark.usefixtures("tiny_regressor")
def test_where_paths_start_is_said_of_photos_that_are_not_there(contrique, rated, tmp_path):
    fit = ("fit-regressor", "--mos", rated / "scores.csv", *TINY, "-o", "mine")
    gone = contrique(*fit, "--photos", tmp_path / "nowhere")
    assert "no such file (relative paths start from --photos)" in gone.err
    small = contrique(*fit, "--max-side", 8)
    assert "too small to judge" in small.err
    assert "--photos" not in small.err


@pytest.mark.usefixtures("tiny_regressor")
def test_clean_photos_teach_a_regressor_the_order_of_distortions(contrique, rated, home):
    clean = rated / "clean"
    clean.mkdir()
    for seed in range(3):
        make_photo(seed, 64, 48).save(clean / f"{seed}.png")
    (clean / "bad.png").write_bytes(b"")
    table = ("--mos", rated / "scores.csv")
    done = contrique("fit-regressor", *table, *TINY, "-o", "mine", "--pristine", clean)
    assert done.status == 0
    assert "clean photo left out" in done.err
    made = regressor.load(home / "regressors" / "mine.safetensors")
    assert made.provenance["ladders"] == 3 * config.LADDER_KINDS
    empty = rated / "empty"
    empty.mkdir()
    done = contrique("fit-regressor", *table, *TINY, "-o", "mine", "--pristine", empty)
    assert (done.status, "holds no photos" in done.err) == (1, True)


@pytest.mark.usefixtures("tiny_regressor")
def test_clean_photos_are_for_scores_without_a_reference(contrique, rated):
    both = ("--pristine", rated, "--reference-column", "reference")
    done = contrique("fit-regressor", "--mos", rated / "pairs.csv", *TINY, *both)
    assert (done.status, "--pristine is for scores without a reference" in done.err) == (2, True)


@pytest.mark.usefixtures("tiny_regressor")
def test_too_few_opinions_say_how_many_are_needed(contrique, rated):
    lines = (rated / "scores.csv").read_text().splitlines()[:10]
    (rated / "few.csv").write_text("\n".join(lines))
    done = contrique("fit-regressor", "--mos", rated / "few.csv", *TINY)
    assert done.status == 1
    assert "20 photos with a score are needed, and only 9" in done.err


def test_an_encoder_of_one_scale_fits_scores_and_explains(contrique, rated, home):
    (home / "encoders").mkdir(parents=True)
    torch.manual_seed(0)
    model = Contrique("tiny", "stages-full").eval()
    checkpoint.save(home / "encoders" / "one.safetensors", model, provenance={})
    one = ("--model", "one", "--device", "cpu")
    fitted = contrique("fit-regressor", "--mos", rated / "scores.csv", *one, "-o", "one")
    assert fitted.status == 0, fitted.err
    photos = [rated / "0.png", rated / "29.png"]
    rows = list(
        csv.DictReader(io.StringIO(contrique("score", *photos, *one, "--format", "csv").out))
    )
    assert [Path(row["path"]).name for row in rows] == ["0.png", "29.png"]
    shown = contrique("explain", photos[1], *one, "--method", "shares", "-o", rated / "map.png")
    assert shown.status == 0, shown.err
    assert contrique("features", *photos, *one, "-o", rated / "f.npz").status == 0
    with np.load(rated / "f.npz", allow_pickle=False) as file:
        assert file["features"].shape == (2, model.length)
