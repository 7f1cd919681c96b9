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
    assert probe.probabilities(np.array([[0.0, 1e6, 0.0]])).tolist() == [[0.0, 1.0, 0.0]]


@pytest.mark.parametrize("score", [19.9, 20.0])
@pytest.mark.parametrize("likeliest", [("blur", [0.1, 0.7, 0.2]), ("none", [0.7, 0.2, 0.1])])
def test_what_reaches_the_confidence_is_named_whatever_the_score(probe, likeliest, score):
    name, found = likeliest
    assert probe.choose(np.array([found]), np.array([score])) == [(name, 0.7)]


def test_an_unsure_flaw_is_named_in_weak_photos_alone(probe):
    found = np.array([[0.45, 0.3, 0.25]] * 2)
    assert probe.choose(found, np.array([19.9, 20.0])) == [("blur", 0.3), ("none", 0.45)]


@pytest.mark.parametrize(
    ("chances", "named"),
    [
        ({"none": 0.4, "noise": 0.3, "dark": 0.3}, ("none", 0.4)),
        ({"none": 0.4, "noise": 0.31, "dark": 0.29}, ("noise", 0.31)),
        ({"none": 0.3, "compression": 0.4, "dark": 0.2, "noise": 0.1}, ("dark", 0.2)),
        ({"none": 0.4, "compression": 0.6 - 1e-9}, ("none", 0.4)),
        ({"none": 0.3, "motion blur": 0.5, "blur": 0.1, "dark": 0.1}, ("motion blur", 0.5)),
        (
            {"none": 0.3, "motion blur": 0.2, "blur": 0.1, "smearing": 0.2, "dark": 0.2},
            ("blur", 0.5),
        ),
        ({"none": 0.3, "motion blur": 0.2, "smearing": 0.2, "dark": 0.3}, ("none", 0.3)),
    ],
)
def test_a_weak_photo_has_the_flaw_with_more_than_half_of_what_counts(probe, chances, named):
    several = dataclasses.replace(probe, names=list(chances), confidence=0.7)
    ((name, chance),) = several.choose(np.array([list(chances.values())]), np.array([0.0]))
    assert (name, chance) == (named[0], pytest.approx(named[1]))


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


def test_the_score_helps_to_name_a_flaw_in_every_command(
    contrique, probe, home, photos, tiny_regressor
):
    """Issue 14: flaws that anyone sees in photos of 2 points of 100 had no name."""
    odds = np.log([0.45, 0.3, 0.25])
    shy = dataclasses.replace(
        probe,
        encoder=tiny_regressor.encoder,
        weights=np.zeros((tiny_regressor.weights.size, 3), np.float32),
        bias=odds.astype(np.float32),
    )
    (home / "flaws").mkdir()
    flaws.save(home / "flaws" / "tiny.safetensors", shy)
    photo = photos / "a.jpg"
    for bias, flaw in ((-9.0, "blur"), (9.0, "none")):
        judge = dataclasses.replace(tiny_regressor, bias=bias)
        regressor.save(home / "regressors" / "tiny.safetensors", judge)
        tiny = ("--regressor", "tiny", "--device", "cpu")
        report = home / f"{flaw}.json"
        for again in ((), ("--no-cache",)):  # the first of the second judge is from the cache
            assert contrique("score", photo, *tiny, "-o", report, *again).status == 0
            (found,) = json.loads(report.read_text())["photos"]
            assert (found["flaw"], found["flaw_blur"]) == (flaw, 0.3)
        explained = contrique("explain", photo, *tiny, "--format", "json")
        assert json.loads(explained.out)["flaw"] == flaw
        chosen = contrique("select", "--from", report, "--flaw", "blur")
        assert chosen.out.count("a.jpg") == (flaw == "blur")


@pytest.mark.parametrize("option", ["--model", "--regressor"])
def test_a_probe_given_as_something_else_is_refused_with_what_to_do(
    contrique, probe, photos, tmp_path, option
):
    flaws.save(tmp_path / "mine.safetensors", probe)
    done = contrique("score", photos, option, tmp_path / "mine.safetensors")
    assert done.status == 1
    assert "but a flaw probe: `contrique models import FILE` takes it in" in done.err
