"""Files laid out like the official ones, with random numbers: the originals carry no licence."""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import sklearn
import torch
from safetensors import safe_open
from sklearn.linear_model import Ridge
from torch import nn
from torchvision import models as vision

CHILDREN = {"conv1": "0", "bn1": "1", "layer1": "4", "layer2": "5", "layer3": "6", "layer4": "7"}
"""Names in torchvision's residual networks to places among their children, as published."""


def resnet(arch: str, seed: int = 0) -> nn.Module:
    """A residual network with random weights and batch statistics, pooled but not classified."""
    torch.manual_seed(seed)
    network = getattr(vision, arch)(weights=None)
    network.fc = nn.Identity()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0.0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0.0, 0.1)
    return network.eval()


def official_state(network: nn.Module) -> OrderedDict[str, torch.Tensor]:
    """Its weights under the names of the official checkpoint, with a random projector."""
    state = OrderedDict()
    for name, value in network.state_dict().items():
        first, rest = name.split(".", 1)
        state[f"encoder.{CHILDREN[first]}.{rest}"] = value
    channels = network.layer4[-1].bn2.num_features
    channels = channels * 4 if hasattr(network.layer4[-1], "bn3") else channels
    projector = nn.Sequential(
        nn.Linear(channels, channels, bias=False),
        nn.BatchNorm1d(channels),
        nn.ReLU(),
        nn.Linear(channels, 128, bias=False),
        nn.BatchNorm1d(128),
    )
    state |= {f"projector.{name}": value for name, value in projector.state_dict().items()}
    state._metadata = OrderedDict({"": {"version": 1}, "encoder.1": {"version": 2}})
    return state


def small_state() -> OrderedDict[str, torch.Tensor]:
    """A resnet18 of which each tensor repeats one number of its own: small files."""
    state = official_state(resnet("resnet18"))
    for index, (name, value) in enumerate(state.items()):
        state[name] = torch.tensor(index + 1).to(value.dtype).expand(value.shape)
    return state


def ridge(features: int, *, seed: int = 0, columns: bool = False) -> Ridge:
    """A ridge fitted on random unit-length float32 features, as the published code does."""
    rng = np.random.default_rng(seed)
    x = rng.random((40, features), dtype=np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    y = rng.uniform(20, 80, (40, 1) if columns else 40).astype(np.float32)
    return Ridge(alpha=0.1).fit(x, y)


def ridge_pickle(model: object) -> bytes:
    """A pickle as scikit-learn 1.0.1 and numpy 1.21 wrote it: protocol 3, with the old names."""
    data = pickle.dumps(model, protocol=3)
    data = data.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
    return data.replace(text(sklearn.__version__), text("1.0.1"))


def text(words: str) -> bytes:
    """Text as protocol 3 writes it."""
    return b"X" + len(words).to_bytes(4, "little") + words.encode()


def write(path: Path, data: bytes) -> Path:
    """A file of these bytes."""
    path.write_bytes(data)
    return path


def tiny_ridge(path: Path, seed: int = 0) -> Path:
    """That of the tiny encoder, as a pickle in a file."""
    return write(path, ridge_pickle(ridge(32, seed=seed)))


def number(value: int) -> bytes:
    """A whole number of any size as protocol 2 writes it."""
    data = value.to_bytes(9, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def torch_zip(
    path: Path,
    pickled: bytes,
    storages: Mapping[str, bytes] | None = None,
    *,
    compress: int = zipfile.ZIP_STORED,
) -> Path:
    """A checkpoint as `torch.save` lays it out, with any pickle and storages inside."""
    with zipfile.ZipFile(path, "w", compress) as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/version", "3\n")
        for key, data in (storages or {}).items():
            archive.writestr(f"archive/data/{key}", data)
    return path


def flipped(path: Path) -> bytes:
    """The bytes of a file of ours, one bit of a tensor of its encoder changed."""
    with safe_open(path, "pt") as file:
        weight = file.get_tensor("encoder.0.weight").numpy().tobytes()
    data = path.read_bytes()
    index = data.index(weight)
    return data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :]
