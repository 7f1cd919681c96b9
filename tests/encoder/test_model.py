"""The network: shapes, unit length, the official key layout, devices."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from contrique_cli.encoder import checkpoint
from contrique_cli.encoder.architectures import ARCHITECTURES
from contrique_cli.encoder.model import Contrique, pick_device
from contrique_cli.errors import BadOption, MissingExtra, UnknownDevice
from tests import official_files


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


@pytest.mark.parametrize("arch", ["resnet18", "resnet50"])
def test_maps_and_keys_of_resnets_are_those_of_the_published_layout(arch):
    whole = official_files.resnet(arch)
    state = official_files.official_state(whole)
    expected = {name: value for name, value in state.items() if name.startswith("encoder.")}
    model = Contrique(arch).eval()
    encoder = {name.removeprefix("encoder."): value for name, value in expected.items()}
    model.encoder.load_state_dict(encoder)  # strict: the same keys
    images = torch.rand(2, 3, 70, 97)
    with torch.inference_mode():
        vectors = nn.functional.normalize(whole(images), dim=1)
        torch.testing.assert_close(model.embed(images), vectors)


OLD_FINGERPRINTS = {
    "resnet50": "26778cd3500dd115edcaf1711ea2d095504e51fa15c6e206e3cd19ff98f7d69d",
    "resnet18": "ed1d74c2ef222bbed81736ebf4136e2ec6ee8ac0d0c8a2eef98bb9acfe56a3b4",
    "resnet18-c4": "c6b95c78af7bd34199da545b7557392c00aa9747a4ade2d68b2ed42cae5f6cfc",
}
"""Of encoders of one number per tensor, before torchvision built them: order, names and shapes."""


@pytest.mark.parametrize("arch", OLD_FINGERPRINTS)
def test_a_resnet_has_the_fingerprint_it_had_before_torchvision_built_it(arch):
    with torch.device("meta"):
        model = Contrique(arch)
    state = {
        name: torch.full(value.shape, float(index % 7)).to(value.dtype)
        for index, (name, value) in enumerate(model.encoder.state_dict().items())
    }
    assert checkpoint.fingerprint(arch, state) == OLD_FINGERPRINTS[arch]


def test_fewer_groups_end_the_network_early():
    network = Contrique("resnet18-c4").eval()
    assert network.encoder(torch.rand(1, 3, 64, 32)).shape == (1, 256, 4, 2)


def test_a_torchvision_that_does_not_fit_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(MissingExtra, match="torch and torchvision together"):
        Contrique("resnet18")


@pytest.mark.parametrize(("arch", "is_needed"), [("lite0", False), ("resnet18", True)])
def test_torchvision_is_loaded_for_resnets_only(arch, is_needed):
    code = (
        "import sys, torch\n"
        "from contrique_cli.encoder.model import Contrique\n"
        f"Contrique({arch!r}).eval().embed(torch.zeros(1, 3, 64, 64))\n"
        "print('torchvision' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.strip() == str(is_needed).encode()


def test_an_unknown_architecture_lists_those_there_are():
    with pytest.raises(
        BadOption, match="resnet50, resnet18, resnet18-c4, lite0, lite0-branched, tiny"
    ):
        Contrique("vgg")


def test_the_cpu_can_be_asked_for_and_nonsense_cannot():
    assert pick_device("cpu").type == "cpu"
    for name, reason in (
        ("abacus", "no device is called 'abacus'"),
        ("meta:x", "no device is called 'meta:x'"),
        ("cuda:99", "device 'cuda:99' cannot be used here"),
    ):
        with pytest.raises(UnknownDevice, match=f"^{reason}.*--device cpu"):
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
        for index, layer in enumerate(model.encoder):
            current = layer(current)
            if index in ARCHITECTURES[arch].stages:
                rows = current.double().reshape(*current.shape[:2], -1)
                both = torch.cat([rows.mean(-1), rows.std(-1, correction=0)], dim=1)
                expected.append(both / both.norm(dim=1, keepdim=True))
    assert features.shape == (2, model.length)
    torch.testing.assert_close(features.double(), torch.cat(expected, 1), atol=1e-5, rtol=0)


def test_an_unknown_pooling_is_refused():
    with pytest.raises(BadOption, match="last, stages"):
        Contrique("tiny", "max")
