"""Residual networks: those of torchvision, number for number."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision import models as vision

from contrique_cli.encoder import resnet
from tests.official_files import resnet as torchvision_resnet

KINDS = {
    "resnet18": (resnet.Basic, (2, 2, 2, 2)),
    "resnet50": (resnet.Bottleneck, (3, 4, 6, 3)),
}


def children(network: nn.Module) -> nn.Sequential:
    return nn.Sequential(*list(network.children())[:8])


@pytest.mark.parametrize("arch", KINDS)
def test_maps_and_keys_are_those_of_torchvision(arch):
    expected = children(torchvision_resnet(arch))
    network = resnet.build(*KINDS[arch]).eval()
    network.load_state_dict(expected.state_dict())  # strict: the same keys
    images = torch.rand(2, 3, 70, 97)
    with torch.inference_mode():
        torch.testing.assert_close(network(images), expected(images))


@pytest.mark.parametrize("arch", KINDS)
def test_random_weights_are_spread_as_in_torchvision(arch):
    torch.manual_seed(0)
    theirs = children(getattr(vision, arch)(weights=None)).state_dict()
    ours = resnet.build(*KINDS[arch]).state_dict()
    for name, value in ours.items():
        if value.ndim == 4:  # a convolution: tens of thousands of draws
            torch.testing.assert_close(value.std(), theirs[name].std(), rtol=0.04, atol=0)
        else:
            torch.testing.assert_close(value, theirs[name])


def test_fewer_groups_end_the_network_early():
    network = resnet.build(resnet.Basic, (2, 2, 2)).eval()
    assert network(torch.rand(1, 3, 64, 32)).shape == (1, 256, 4, 2)
