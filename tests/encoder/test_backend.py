"""The encoder made fast: the same features within rounding, in any precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from contrique_cli.encoder import backend, features
from contrique_cli.encoder.model import Contrique
from contrique_cli.errors import BadOption
from contrique_cli.photos import pixels as photo_pixels
from contrique_cli.scoring import scorer as scoring_scorer
from tests.conftest import blurred, make_photo


def pixels(seed=0, width=96, height=64):
    return photo_pixels.to_tensor(make_photo(seed, width, height))[None]


@pytest.mark.parametrize("pooling", ["last", "stages"])
@pytest.mark.parametrize("arch", ["tiny", "resnet18-c4"])
def test_features_are_those_of_the_model(arch, pooling):
    torch.manual_seed(0)
    model = Contrique(arch, pooling).eval()
    with torch.inference_mode():
        expected = model.embed(pixels() / 255)
    found = backend.prepare(model, "fp32")(pixels())
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_half_precision_moves_no_score_of_the_bundled_model_by_a_fifth_of_a_point():
    scorer = scoring_scorer.load_scorer()
    photos = [make_photo(seed, 512, 384) for seed in range(2)]
    photos.append(blurred(photos[0], 2))
    scores = {}
    for precision in ("fp32", "bf16"):
        embed = backend.prepare(scorer.model, precision)
        rows = [features.embed_scales(embed, photo_pixels.to_tensor(one)[None]) for one in photos]
        raw = scorer.regressor.predict(torch.cat(rows).numpy())
        scores[precision] = scorer.regressor.to_score(raw)
    assert np.ptp(scores["fp32"]) > 5
    np.testing.assert_allclose(scores["bf16"], scores["fp32"], atol=0.2)


def test_features_are_float32_of_finite_numbers_in_any_precision(tiny):
    for precision in backend.PRECISIONS:
        found = backend.prepare(tiny, precision)(pixels())
        assert found.dtype == torch.float32
        assert found.isfinite().all()


def test_automatic_precision_is_what_the_processor_has(monkeypatch):
    for has, expected in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(backend, "has_bf16_instructions", lambda has=has: has)
        assert backend.choose_precision("auto", torch.device("cpu")) == expected
    assert backend.choose_precision("fp32", torch.device("cuda")) == "fp32"
    assert backend.choose_precision("auto", torch.device("mps")) == "fp32"


def test_an_unknown_precision_lists_those_there_are():
    with pytest.raises(BadOption, match="auto, fp32, bf16, fp16"):
        backend.choose_precision("int3", torch.device("cpu"))


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_cuda_gives_the_features_of_the_cpu(precision):
    torch.manual_seed(0)
    model = Contrique("resnet18", "stages").eval()
    expected = backend.prepare(model, "fp32")(pixels())
    found = backend.prepare(model.to("cuda"), precision)(pixels())
    torch.testing.assert_close(found.cpu(), expected, atol=1e-2, rtol=0)


def test_bf16_on_a_processor_that_cannot_is_refused_in_words(monkeypatch):
    monkeypatch.setattr(backend, "_can_bf16", lambda: False)
    with pytest.raises(BadOption, match="leave --precision out"):
        backend.choose_precision("bf16", torch.device("cpu"))
