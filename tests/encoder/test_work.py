"""Device and precision: refused when wrong, and known without PyTorch when settled before."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from contrique_cli.encoder import backend, checkpoint
from contrique_cli.encoder.cache import recall
from contrique_cli.encoder.cache.featurecache import FeatureCache
from contrique_cli.encoder.work import Work
from contrique_cli.errors import BadOption, UnknownDevice
from tests.conftest import make_photo

INFO = checkpoint.EncoderInfo(
    arch="tiny", pooling="last", preprocessing=1, fingerprint="f" * 64, provenance={}
)


@pytest.fixture
def cache(tmp_path):
    with FeatureCache(tmp_path / "features.sqlite") as found:
        yield found


@pytest.fixture
def asked(monkeypatch):
    """Precisions that PyTorch was asked about."""
    names, real = [], backend.choose_precision

    def choose(name, device):
        names.append(name)
        return real(name, device)

    monkeypatch.setattr(backend, "choose_precision", choose)
    return names


def test_what_is_settled_is_known_to_the_next_run(cache, asked):
    first = Work(device="cpu").recall(cache)
    assert first == backend.choose_precision("auto", torch.device("cpu"))
    asked.clear()
    assert Work(device="cpu").recall(cache) == first
    assert asked == []
    Work(device="cpu", precision="fp32").recall(cache)
    assert asked == ["fp32"]


@pytest.mark.parametrize("name", ["ONEDNN_MAX_CPU_ISA", "CUDA_VISIBLE_DEVICES"])
def test_another_machine_is_asked_anew(cache, asked, monkeypatch, name):
    Work().recall(cache)
    asked.clear()
    monkeypatch.setenv(name, "0")
    Work().recall(cache)
    assert asked == ["auto"]


def test_a_device_that_may_be_gone_is_looked_for_each_time(cache, asked, monkeypatch):
    with pytest.raises(UnknownDevice, match="--device cpu"):
        Work(device="cuda:99").check(None)
    assert Work(device=torch.device("cpu")).recall(cache)
    assert Work(device=torch.device("cpu")).recall(cache)
    assert asked == ["auto", "auto"]


def test_an_unknown_precision_is_refused(cache):
    with pytest.raises(BadOption, match="choose one of auto, fp32, bf16, fp16"):
        Work(precision="int3")


def test_a_precision_that_the_processor_lacks_is_refused_and_not_remembered(cache, monkeypatch):
    monkeypatch.setattr(backend, "_can_compute", lambda precision: precision == "fp32")
    for found in (cache, None, cache):
        with pytest.raises(BadOption, match="cannot compute in fp16"):
            Work(device="cpu", precision="fp16").check(found)


def test_what_nobody_can_compute_in_is_not_believed(cache, asked):
    work = Work(device="cpu")
    for fact in ("auto", "fp8", "\0"):
        cache.keep_fact(work._machine(), fact)
        asked.clear()
        assert Work(device="cpu").recall(cache) in ("fp32", "bf16")
        assert asked == ["auto"]


def test_what_was_remembered_wrongly_is_mended_by_the_next_photo(cache, tiny, tmp_path):
    right = Work(device="cpu").recall(cache)
    wrong = "fp16" if right != "fp16" else "fp32"
    cache.keep_fact(Work(device="cpu")._machine(), wrong)
    make_photo(0).save(tmp_path / "a.png")
    shelf = recall.find_shelf(cache, INFO, Work(device="cpu", max_side=64))
    assert shelf.origin.numerics == wrong
    list(
        recall.extract([tmp_path / "a.png"], lambda: backend.Embed(tiny), shelf, Work(max_side=64))
    )
    assert shelf.origin.numerics == right
    assert Work(device="cpu").recall(cache) == right
    facts = [part.facts["numerics"] for part in cache.list_parts()]
    assert facts == [replace(shelf.origin).numerics] == [right]
