"""The encoder made fast: the same features within rounding, in any precision."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from contrique_cli import config
from contrique_cli.encoder import backend, features
from contrique_cli.encoder.model import Contrique
from contrique_cli.errors import BadOption
from contrique_cli.photos import pixels as photo_pixels
from contrique_cli.scoring import pipeline as scoring_pipeline
from tests.conftest import ROOT, blurred, make_photo


def pixels(seed=0, width=96, height=64):
    return photo_pixels.to_tensor(make_photo(seed, width, height))[None]


@pytest.mark.parametrize("pooling", ["last", "stages"])
@pytest.mark.parametrize("arch", ["tiny", "resnet18-c4"])
def test_features_are_those_of_the_model(arch, pooling):
    torch.manual_seed(0)
    model = Contrique(arch, pooling).eval()
    with torch.inference_mode():
        expected = model.embed(pixels() / 255)
    found = backend.Embed(model, "fp32")(pixels())
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_half_precision_hardly_moves_scores_of_the_bundled_model(monkeypatch):
    monkeypatch.setattr(backend, "_can_compute", lambda precision: True)  # PyTorch's own ways do
    pipeline = scoring_pipeline.load_pipeline()
    photos = [make_photo(seed, 512, 384) for seed in range(2)]
    photos.append(blurred(photos[0], 2))
    scores = {}
    for precision in ("fp32", "bf16", "fp16"):
        embed = backend.Embed(pipeline.model, precision)
        rows = [features.embed_scales(embed, photo_pixels.to_tensor(one)[None]) for one in photos]
        raw = pipeline.regressor.predict(torch.cat(rows).numpy())
        scores[precision] = pipeline.regressor.to_score(raw)
    assert np.ptp(scores["fp32"]) > 5
    # Emulated on 200 photos 0.24 at most; 0.47 here before the first maps stayed in float32.
    np.testing.assert_allclose(scores["bf16"], scores["fp32"], atol=0.3)
    np.testing.assert_allclose(scores["fp16"], scores["fp32"], atol=0.3)


def test_features_are_float32_of_finite_numbers_in_any_precision(tiny, monkeypatch):
    monkeypatch.setattr(backend, "_can_compute", lambda precision: True)
    for precision in config.PRECISIONS:
        found = backend.Embed(tiny, precision)(pixels())
        assert found.dtype == torch.float32
        assert found.isfinite().all()


@pytest.mark.parametrize(
    ("has_instructions", "is_taken", "expected"),
    [(True, True, "bf16"), (True, False, "fp32"), (False, True, "fp32"), (False, False, "fp32")],
)
def test_the_quickest_is_what_the_processor_has_and_onednn_takes(
    monkeypatch, has_instructions, is_taken, expected
):
    monkeypatch.setattr(backend, "has_bf16_instructions", lambda: has_instructions)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: is_taken)
    assert backend.quickest(torch.device("cpu")) == expected


@pytest.mark.parametrize(("device", "automatic"), [("cpu", "bf16"), ("cuda", "fp32")])
def test_automatic_precision_is_quick_on_a_cpu_alone(monkeypatch, device, automatic):
    monkeypatch.setattr(backend, "has_bf16_instructions", lambda: True)
    monkeypatch.setattr(backend, "_can_compute", lambda precision: True)
    assert backend.choose_precision("auto", torch.device(device)) == automatic
    assert backend.choose_precision("fp32", torch.device(device)) == "fp32"


def test_an_unknown_precision_lists_those_there_are():
    with pytest.raises(BadOption, match="auto, fp32, bf16, fp16"):
        backend.choose_precision("int3", torch.device("cpu"))


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_cuda_gives_the_features_of_the_cpu(precision):
    torch.manual_seed(0)
    model = Contrique("resnet18", "stages").eval()
    expected = backend.Embed(model, "fp32")(pixels())
    found = backend.Embed(model.to("cuda"), precision)(pixels())
    torch.testing.assert_close(found.cpu(), expected, atol=1e-2, rtol=0)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_precision_that_the_processor_lacks_is_refused_in_words(monkeypatch, precision):
    monkeypatch.setattr(torch.ops.mkldnn, f"_is_mkldnn_{precision}_supported", lambda: False)
    with pytest.raises(BadOption, match=f"cannot compute in {precision}: leave --precision out"):
        backend.choose_precision(precision, torch.device("cpu"))


SCORE_IN_EVERY_PRECISION = """
import sys
from typer.testing import CliRunner
from contrique_cli.cli.app import app
for precision in ("auto", "fp32", "bf16", "fp16"):
    words = ["score", sys.argv[1], "--format", "json", "--no-cache", "--precision", precision]
    done = CliRunner().invoke(app, words)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    print(repr((precision, done.exit_code, done.stdout, done.stderr)))
"""
"""One process for each of oneDNN's limits, which are read once."""


@pytest.mark.parametrize("limit", ["SSE41", "AVX2", "AVX512_CORE", None])
def test_scores_are_equal_whatever_onednn_is_held_to(photos, limit):
    environment = {name: value for name, value in os.environ.items() if "ONEDNN" not in name}
    if limit is not None:
        environment["ONEDNN_MAX_CPU_ISA"] = limit
    done = subprocess.run(
        [sys.executable, "-c", SCORE_IN_EVERY_PRECISION, str(photos)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found = [ast.literal_eval(line) for line in done.stdout.splitlines()]
    scores = {}
    for precision, status, out, err in found:
        if status == 0:
            rows = json.loads(out)["photos"]
            scores[precision] = {row["path"]: row["score"] for row in rows}
        else:
            assert precision in {"bf16", "fp16"}
            assert err == (
                f"error: this processor cannot compute in {precision}: leave --precision out\n"
            )
    assert len(scores["fp32"]) == 3
    for other in scores.values():
        assert other == pytest.approx(scores["fp32"], abs=0.5)
