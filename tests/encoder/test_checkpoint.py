"""Encoder files: what goes in comes out, and nothing else is taken for one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from contrique_cli.encoder import checkpoint, tensorfile
from contrique_cli.encoder.model import Contrique
from contrique_cli.errors import BadModelFile


@pytest.fixture
def saved(tmp_path: Path, tiny: Contrique) -> Path:
    checkpoint.save(tmp_path / "a.safetensors", tiny, provenance={"data": "none"})
    return tmp_path / "a.safetensors"


def rewrite(path: Path, **header) -> Path:
    content = tensorfile.read(path)
    merged = {**content.header.values, **header}
    tensorfile.write(path, kind=content.header.kind, header=merged, tensors=content.tensors)
    return path


def replace_tensors(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Give a file other tensors, and the fingerprint that they have."""
    content = tensorfile.read(path)
    encoder = {
        key.removeprefix("encoder."): value
        for key, value in tensors.items()
        if key.startswith("encoder.")
    }
    header = {**content.header.values, "fingerprint": checkpoint.fingerprint("tiny", encoder)}
    tensorfile.write(path, kind=content.header.kind, header=header, tensors=tensors)


def test_a_saved_model_gives_equal_features(saved, tiny):
    images = torch.rand(2, 3, 40, 50)
    loaded, info = checkpoint.load(saved)
    assert torch.equal(loaded.embed(images), tiny.embed(images))
    assert info.arch == "tiny"
    assert info.provenance["data"] == "none"
    assert not loaded.training


def test_half_precision_is_half_as_large_and_another_encoder(tmp_path, saved):
    model = Contrique("resnet18").eval()
    whole = checkpoint.save(tmp_path / "w.safetensors", model, provenance={}, projector=False)
    half = checkpoint.save(
        tmp_path / "h.safetensors", model, provenance={}, half=True, projector=False
    )
    sizes = [(tmp_path / name).stat().st_size for name in ("h.safetensors", "w.safetensors")]
    assert sizes[0] / sizes[1] < 0.51
    assert whole.fingerprint != half.fingerprint
    images = torch.rand(1, 3, 64, 64)
    loaded, info = checkpoint.load(tmp_path / "h.safetensors")
    assert info == half
    torch.testing.assert_close(loaded.embed(images), model.embed(images), atol=1e-3, rtol=0)


def test_the_fingerprint_knows_every_weight_and_only_the_encoder(tiny):
    state = tiny.encoder.state_dict()
    before = checkpoint.fingerprint("tiny", state)
    for name, value in state.items():
        changed = {**state, name: value + 1}
        is_counter = name.endswith("num_batches_tracked")
        assert (checkpoint.fingerprint("tiny", changed) == before) == is_counter
    assert checkpoint.fingerprint("resnet18", state) != before


def test_a_flipped_weight_is_noticed(saved):
    data = bytearray(saved.read_bytes())
    data[-40] ^= 1
    saved.write_bytes(data)
    content = tensorfile.read(saved)  # the flip may lie in the projector, which scores ignore
    encoder = {k: v for k, v in content.tensors.items() if k.startswith("encoder.")}
    first = next(iter(encoder))
    tensors = {**content.tensors, first: content.tensors[first] + 1}
    tensorfile.write(saved, kind="encoder", header=content.header.values, tensors=tensors)
    with pytest.raises(BadModelFile, match="fingerprint"):
        checkpoint.load(saved)


def test_other_preprocessing_architecture_or_format_is_refused(saved):
    with pytest.raises(BadModelFile, match="trained for preprocessing 99"):
        checkpoint.load(rewrite(saved, preprocessing=99))
    with pytest.raises(BadModelFile, match="'vgg', which this contrique does not know"):
        checkpoint.load(rewrite(saved, preprocessing=1, arch="vgg"))
    with pytest.raises(BadModelFile, match="upgrade"):
        checkpoint.load(rewrite(saved, format=2))


def test_a_model_with_missing_tensors_is_refused(saved):
    content = tensorfile.read(saved)
    name = next(name for name in content.tensors if name.startswith("encoder."))
    tensors = {key: value for key, value in content.tensors.items() if key != name}
    replace_tensors(saved, tensors)
    with pytest.raises(BadModelFile, match="does not hold a whole tiny"):
        checkpoint.load(saved)


@pytest.mark.parametrize("arch", ["tiny", "resnet18-c4", "lite0"])
def test_loading_draws_no_random_weights(tmp_path, arch):
    path = tmp_path / "a.safetensors"
    checkpoint.save(path, Contrique(arch), provenance={})
    before = torch.get_rng_state()
    loaded, _ = checkpoint.load(path)
    assert torch.equal(torch.get_rng_state(), before)
    Contrique(arch)
    assert not torch.equal(torch.get_rng_state(), before)
    assert all(one.requires_grad and one.dtype == torch.float32 for one in loaded.parameters())


def test_a_loaded_model_stays_as_it_is_when_its_file_is_overwritten(saved, tiny):
    loaded, _ = checkpoint.load(saved)
    with saved.open("r+b") as file:
        file.write(bytes(saved.stat().st_size))
    for name, value in tiny.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name


@pytest.mark.parametrize("part", ["encoder.", "projector."])
def test_numbers_that_are_not_finite_are_refused(saved, part):
    content = tensorfile.read(saved)
    for bad in (float("nan"), float("inf"), 1e300):
        name = next(key for key in content.tensors if key.startswith(part))
        value = content.tensors[name].to(torch.float64, copy=True)
        value.view(-1)[0] = bad
        replace_tensors(saved, {**content.tensors, name: value})
        with pytest.raises(BadModelFile, match="not finite"):
            checkpoint.load(saved)
