"""Merged layers: the maps of the encoder they were made from."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from contrique_cli.encoder import merged
from contrique_cli.encoder.model import Contrique, build

CPU = torch.device("cpu")


def encoder(arch):
    """With batch statistics and affine parts that matter."""
    torch.manual_seed(0)
    network = build(arch).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0.0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0.0, 0.1)
    return network


def stages(network, images, arch):
    with torch.inference_mode():
        return list(Contrique(arch, "stages").maps(images, network))


def assert_same(found, expected):
    """But for what float32 loses of the largest value."""
    most = 1e-5 * float(expected.abs().max())
    torch.testing.assert_close(found.contiguous(), expected, rtol=0, atol=most)


@pytest.mark.parametrize("has_one_call", [True, False])
@pytest.mark.parametrize("arch", ["tiny", "resnet18", "resnet50", "lite0", "lite0-branched"])
def test_every_stage_is_that_of_the_encoder_for_pixels_of_8_bit(monkeypatch, arch, has_one_call):
    if not has_one_call:  # as on a GPU, or without oneDNN
        monkeypatch.setattr(merged, "_has_one_call", lambda device, dtype: False)
    network = encoder(arch)
    pixels = torch.randint(0, 256, (2, 3, 70, 45)).float()
    expected = stages(network, pixels / 255, arch)
    found = stages(
        merged.merge(network, device=CPU, dtype=torch.float32, white=255.0), pixels, arch
    )
    for ours, theirs in zip(found, expected, strict=True):
        assert_same(ours, theirs)


@pytest.mark.parametrize("name", ["_reorder_convolution_weight", "_convolution_pointwise"])
@pytest.mark.parametrize("error", [RuntimeError, AttributeError])
def test_where_onednn_refuses_a_layer_pytorch_computes_it(monkeypatch, name, error):
    def refuse(*args):
        raise error("needs another processor")

    merged._takes_one_call.cache_clear()
    monkeypatch.setattr(torch.ops.mkldnn, name, refuse)
    network = encoder("tiny")
    pixels = torch.rand(1, 3, 40, 30)
    expected = stages(network, pixels, "tiny")
    found = stages(merged.merge(network, device=CPU, dtype=torch.float32), pixels, "tiny")
    merged._takes_one_call.cache_clear()
    for ours, theirs in zip(found, expected, strict=True):
        assert_same(ours, theirs)


@pytest.mark.parametrize("size", [(96, 64), (97, 67)])
def test_strips_of_an_inverted_bottleneck_give_the_maps_of_the_whole(monkeypatch, size):
    network = encoder("lite0")
    pixels = torch.randint(0, 256, (1, 3, *size)).float()
    found = []
    for most in (2**30, 1):
        monkeypatch.setattr(merged, "_STRIP", most)
        fast = merged.merge(network, device=CPU, dtype=torch.float32, white=255.0)
        found.append(stages(fast, pixels, "lite0"))
    for whole, strips in zip(*found, strict=True):
        torch.testing.assert_close(strips, whole, rtol=0, atol=1e-5)


def test_weights_are_laid_out_again_for_every_size_of_a_photo():
    network = encoder("lite0")
    fast = merged.merge(network, device=CPU, dtype=torch.float32)
    for side in (40, 64, 40, 90, 33, 128, 64):
        images = torch.rand(1, 3, side, 70)
        expected = stages(network, images, "lite0")[-1]
        found = stages(fast, images, "lite0")[-1]
        assert_same(found, expected)


@pytest.mark.parametrize("arch", ["resnet18", "lite0"])
def test_the_encoder_stays_as_it_is(arch):
    network = encoder(arch)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    merged.merge(network, device=CPU, dtype=torch.bfloat16)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize("shape", [(8, 3, 7, 7), (8, 16, 3, 3)])
def test_rounded_weights_are_near_and_keep_the_sum_of_each_kernel(shape):
    torch.manual_seed(0)
    weight = torch.randn(shape)
    rounded = merged.round_weights(weight, torch.bfloat16).float()
    assert (rounded - weight).abs().max() < 0.02
    kept = (rounded - weight).sum((2, 3)).abs()
    plain = (weight.bfloat16().float() - weight).sum((2, 3)).abs()
    assert kept.mean() < 0.6 * plain.mean()


def test_weights_of_one_pixel_keep_the_sum_of_eight_channels():
    torch.manual_seed(0)
    weight = torch.randn(8, 64, 1, 1)
    rounded = merged.round_weights(weight, torch.bfloat16).float()
    error = (rounded - weight).reshape(8, 8, 8).sum(2).abs()
    assert (
        error.mean()
        < 0.6 * (weight.bfloat16().float() - weight).reshape(8, 8, 8).sum(2).abs().mean()
    )


def test_layers_at_the_front_stay_exact_in_bfloat16():
    network = Contrique("lite0", "stages").eval()
    pixels = torch.randint(0, 256, (1, 3, 96, 64)).float()
    with torch.inference_mode():
        plain, some = (
            list(
                network.maps(
                    pixels, merged.merge(network.encoder, device=CPU, dtype=dtype, exact=5)
                )
            )
            for dtype in (torch.float32, torch.bfloat16)
        )
    assert [one.dtype for one in some] == [torch.float32] * 3 + [torch.bfloat16] * 4
    for exact, same in zip(plain[:3], some[:3], strict=True):
        assert torch.equal(exact, same)
    assert not torch.equal(plain[3], some[3].float())
