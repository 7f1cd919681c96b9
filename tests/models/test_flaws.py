"""The flaw probe: names, confidence, and files that are refused."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pytest

from contrique_cli import read_report
from contrique_cli.encoder import checkpoint
from contrique_cli.encoder.work import Work
from contrique_cli.errors import BadModelFile
from contrique_cli.models import flaws, regressor
from contrique_cli.models.flaws import FlawProbe
from contrique_cli.reports import reading
from contrique_cli.scoring import pipeline as scoring_pipeline
from contrique_cli.scoring import score


@pytest.fixture
def probe():
    return FlawProbe(
        names=["none", "blur", "noise"],
        weights=np.eye(3, dtype=np.float32),
        bias=np.zeros(3, np.float32),
        confidence=0.6,
        encoder="f" * 64,
        figures={"accuracy": 0.9},
    )


def test_probabilities_are_the_softmax_of_the_linear_map(probe):
    found = probe.probabilities(np.array([[1.0, 2.0, 0.5]]))
    odds = np.exp([1.0, 2.0, 0.5])
    np.testing.assert_allclose(found[0], odds / odds.sum(), rtol=1e-12)


def test_huge_features_do_not_overflow(probe):
    assert probe.name(np.array([[0.0, 1e6, 0.0]])) == [("blur", 1.0)]


def test_the_likeliest_flaw_is_named_from_the_confidence_on(probe):
    sure, unsure = np.log([[0.1, 0.7, 0.2], [0.2, 0.5, 0.3]])
    assert probe.name(np.stack([sure, unsure])) == [
        ("blur", pytest.approx(0.7)),
        ("none", pytest.approx(0.2)),
    ]


def test_a_saved_probe_comes_back_whole(probe, tmp_path):
    flaws.save(tmp_path / "p.safetensors", probe)
    again = flaws.load(tmp_path / "p.safetensors")
    assert (again.names, again.confidence, again.encoder) == (
        probe.names,
        probe.confidence,
        probe.encoder,
    )
    assert np.array_equal(again.weights, probe.weights)
    assert again.figures == {"accuracy": 0.9}


@pytest.mark.parametrize(
    "change",
    [
        {"names": ["blur", "noise", "dark"]},
        {"names": ["none", "blur"]},
        {"confidence": 1.5},
        {"weights": np.full((3, 3), np.nan, np.float32)},
        {"bias": np.zeros(4, np.float32)},
    ],
)
def test_impossible_numbers_are_refused(probe, tmp_path, change):
    flaws.save(tmp_path / "p.safetensors", dataclasses.replace(probe, **change))
    with pytest.raises(BadModelFile, match="no flaw probe can have"):
        flaws.load(tmp_path / "p.safetensors")


def test_another_kind_of_file_is_refused(tiny_regressor, home):
    with pytest.raises(BadModelFile, match="not a flaw probe"):
        flaws.load(home / "encoders" / "tiny.safetensors")


def test_scoring_names_the_flaw_where_the_encoder_has_a_probe(photos, tiny, tiny_regressor, home):
    pipeline = scoring_pipeline.load_pipeline("tiny")
    assert pipeline.probe is None
    width = 2 * tiny.length
    sure = FlawProbe(
        names=["none", "dark"],
        weights=np.zeros((width, 2), np.float32),
        bias=np.array([0.0, 2.0], np.float32),
        confidence=0.5,
        encoder=pipeline.info.fingerprint,
    )
    (home / "flaws").mkdir()
    flaws.save(home / "flaws" / "tiny.safetensors", sure)
    with_probe = scoring_pipeline.load_pipeline("tiny")
    (row,) = score.score([photos / "a.jpg"], with_probe, with_probe.sized(Work(device="cpu")))
    assert (row.flaw, row.flaw_probability) == ("dark", pytest.approx(1 / (1 + np.exp(-2))))
    (row,) = score.score([photos / "a.jpg"], pipeline, pipeline.sized(Work(device="cpu")))
    assert (row.flaw, row.flaw_probability) == (None, None)


@pytest.mark.usefixtures("tiny_regressor")
def test_models_lists_a_probe_with_what_it_names(contrique, probe, home):
    (home / "flaws").mkdir()
    encoder = checkpoint.read_info(home / "encoders" / "tiny.safetensors").fingerprint
    flaws.save(home / "flaws" / "mine.safetensors", dataclasses.replace(probe, encoder=encoder))
    (home / "flaws" / "bad.safetensors").write_bytes(b"no")
    done = contrique("models")
    assert done.status == 0
    assert re.search(r"flaw probe +bad +you +cannot be used", done.out)
    assert re.search(r"flaw probe +mine +you +of encoder tiny *\n", done.out)
    shown = contrique("models", "show", "mine").out
    assert "none, blur, noise" in shown
    assert f"tiny ({encoder[:12]})" in shown


@pytest.mark.usefixtures("tiny_regressor")
def test_a_probe_is_imported_and_used_with_its_encoder(contrique, probe, home, photos, tmp_path):
    header = checkpoint.read_info(home / "encoders" / "tiny.safetensors")
    width = regressor.load(home / "regressors" / "tiny.safetensors").weights.size
    fitting = dataclasses.replace(
        probe,
        encoder=header.fingerprint,
        weights=np.zeros((width, 3), np.float32),
        bias=np.array([0.0, 9.0, 0.0], np.float32),
    )
    flaws.save(tmp_path / "Mine.safetensors", fitting)
    done = contrique("models", "import", tmp_path / "Mine.safetensors")
    assert done.status == 0, done.err
    assert "imported as the flaw probe mine: it is used with its encoder" in done.err
    scored = contrique("score", photos / "a.jpg", "--regressor", "tiny", "--device", "cpu")
    assert ",blur," in scored.out
    assert "flaw_blur" not in scored.out
    report = tmp_path / "report.json"
    tiny = ("--regressor", "tiny", "--device", "cpu")
    assert contrique("score", photos, photos / "gone.jpg", "-o", report, *tiny).status == 3
    found = json.loads(report.read_text())["photos"]
    assert [photo["flaw_blur"] for photo in found] == [1.0, 1.0, 1.0, None]
    assert [photo["flaw_noise"] for photo in found] == [0.0, 0.0, 0.0, None]
    assert not any("flaw_none" in photo for photo in found)
    assert [row.flaws for row in reading.read(report.read_bytes(), "report.json")] == [
        *[(("blur", 1.0), ("noise", 0.0))] * 3,
        (),
    ]
    frame = read_report(report)
    assert frame["flaw_blur"].to_list()[:3] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("option", ["--model", "--regressor"])
def test_a_probe_given_as_something_else_is_refused_with_what_to_do(
    contrique, probe, photos, tmp_path, option
):
    flaws.save(tmp_path / "mine.safetensors", probe)
    done = contrique("score", photos, option, tmp_path / "mine.safetensors")
    assert done.status == 1
    assert "but a flaw probe: `contrique models import FILE` takes it in" in done.err
