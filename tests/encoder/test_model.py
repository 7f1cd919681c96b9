"""The network: shapes, unit length, the official key layout, devices."""

from __future__ import annotations

import pytest
import torch

from contrique_cli.encoder.model import ARCHITECTURES, Contrique, pick_device
from contrique_cli.errors import BadOption, UnknownDevice


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_architecture_gives_unit_vectors_of_its_channels(arch):
    model = Contrique(arch).eval()
    with torch.inference_mode():
        features = model.embed(torch.rand(2, 3, 70, 64))
    assert features.shape == (2, ARCHITECTURES[arch].channels)
    torch.testing.assert_close(features.norm(dim=1), torch.ones(2))


def test_patches_of_one_image_lie_side_by_side(tiny):
    images = torch.rand(3, 3, 128, 128)
    with torch.no_grad():
        whole = tiny.projector(tiny.cells(images))
        assert whole.shape == (12, 128)
        torch.testing.assert_close(tiny.projector(tiny.cells(images[1:2])), whole[4:8])


def test_the_keys_of_resnet50_are_those_of_the_official_file():
    keys = Contrique("resnet50").state_dict().keys()
    for key in (
        "encoder.0.weight",
        "encoder.1.running_mean",
        "encoder.4.0.conv1.weight",
        "encoder.7.2.bn3.weight",
        "projector.0.weight",
        "projector.1.weight",
        "projector.3.weight",
        "projector.4.weight",
    ):
        assert key in keys
    assert not [key for key in keys if key.startswith(("encoder.8", "encoder.9", "projector.5"))]
    assert "projector.0.bias" not in keys


def test_an_unknown_architecture_lists_those_there_are():
    with pytest.raises(BadOption, match="resnet50, resnet18, resnet18-c4, lite0, tiny"):
        Contrique("vgg")


def test_the_cpu_can_be_asked_for_and_nonsense_cannot():
    assert pick_device("cpu").type == "cpu"
    for name in ("abacus", "cuda:99", "meta:x"):
        with pytest.raises(UnknownDevice, match="--device cpu"):
            pick_device(name)


def test_a_device_is_chosen_without_being_asked(monkeypatch):
    for cuda, mps, expected in ((True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda cuda=cuda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda mps=mps: mps)
        assert pick_device().type == expected


@pytest.mark.parametrize("arch", ["resnet18", "tiny"])
def test_pooling_stages_gives_mean_and_deviation_of_every_stage(arch):
    torch.manual_seed(0)
    model = Contrique(arch, "stages").eval()
    pictures = torch.rand(2, 3, 64, 96)
    with torch.inference_mode():
        features = model.embed(pictures)
        expected, current = [], pictures
        for place, layer in enumerate(model.encoder):
            current = layer(current)
            if place in ARCHITECTURES[arch].stages:
                rows = current.double().reshape(*current.shape[:2], -1)
                both = torch.cat([rows.mean(-1), rows.std(-1, correction=0)], dim=1)
                expected.append(both / both.norm(dim=1, keepdim=True))
    assert features.shape == (2, model.length)
    torch.testing.assert_close(features.double(), torch.cat(expected, 1), atol=1e-5, rtol=0)


def test_an_unknown_pooling_is_refused():
    with pytest.raises(BadOption, match="last, stages"):
        Contrique("tiny", "max")
