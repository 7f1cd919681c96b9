"""Encoders on disk: weights with architecture, preprocessing version, provenance, fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contrique_cli.encoder import tensorfile
from contrique_cli.encoder.architectures import ARCHITECTURES, LAST, POOLINGS
from contrique_cli.encoder.tensorfile import Header, short
from contrique_cli.errors import BadModelFile, lacks_memory
from contrique_cli.photos.opening import PREPROCESSING
from contrique_cli.version import __version__

if TYPE_CHECKING:
    import torch
    from torch import nn

    from contrique_cli.encoder.model import Contrique

KIND = "encoder"

_ANY = 10**6


@dataclass(frozen=True, kw_only=True)
class EncoderInfo:
    """What the header of an encoder's file says.

    Attributes:
        arch: a key of `model.ARCHITECTURES`.
        pooling: one of `model.POOLINGS`.
        preprocessing: `opening.PREPROCESSING` of the version that made the file.
        fingerprint: sha256, 64 hexadecimal digits; see `fingerprint`.
        provenance: plain facts: data, epochs, licence, version of contrique ...
    """

    arch: str
    pooling: str
    preprocessing: int
    fingerprint: str
    provenance: Mapping[str, Any]


def fingerprint(arch: str, encoder: Mapping[str, torch.Tensor], pooling: str = LAST) -> str:
    """Identity of the features: sha256 over architecture, pooling, preprocessing and weights.

    Args:
        arch: a key of `model.ARCHITECTURES`.
        pooling: one of `model.POOLINGS`.
        encoder: tensors as stored, names without the "encoder." in front; half precision counts
            as other weights, since it gives other features.
    """
    import torch  # noqa: PLC0415 - a header is read without

    pooled = [] if pooling == LAST else [pooling]
    digest = hashlib.sha256(json.dumps([arch, PREPROCESSING, *pooled]).encode())
    for name in sorted(encoder):
        if name.endswith("num_batches_tracked"):
            continue  # a counter of batch norm that no feature depends on
        tensor = encoder[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def save(
    path: Path,
    model: Contrique,
    *,
    provenance: Mapping[str, Any],
    half: bool = False,
    projector: bool = True,
) -> EncoderInfo:
    """Write a model, whole or not at all.

    Args:
        path: the file, by custom `.safetensors`.
        model: encoder and projector, on any device.
        provenance: plain facts (JSON) about how the weights came to be.
        half: store floats of the encoder as float16, half the size.
        projector: store it too; scoring does not need it, training on does.

    Raises:
        CannotWrite: see `writing.replacing`.
    """
    import torch  # noqa: PLC0415 - see `fingerprint`

    encoder = {
        name: value.detach().cpu().to(torch.float16)
        if half and value.is_floating_point()
        else value.detach().cpu()
        for name, value in model.encoder.state_dict().items()
    }
    info = EncoderInfo(
        arch=model.arch,
        pooling=model.pooling,
        preprocessing=PREPROCESSING,
        fingerprint=fingerprint(model.arch, encoder, model.pooling),
        provenance={"contrique": __version__, **provenance},
    )
    tensors = {f"encoder.{name}": value for name, value in encoder.items()}
    if projector:
        tensors |= {
            f"projector.{name}": value.detach().cpu()
            for name, value in model.projector.state_dict().items()
        }
    header = {
        "arch": info.arch,
        "pooling": info.pooling,
        "preprocessing": info.preprocessing,
        "fingerprint": info.fingerprint,
        "provenance": dict(info.provenance),
    }
    tensorfile.write(path, kind=KIND, header=header, tensors=tensors)
    return info


def load(path: Path) -> tuple[Contrique, EncoderInfo]:
    """Read a model in float32 on the CPU, in evaluation mode.

    A file without a projector gives an empty one: scoring uses none.

    Raises:
        BadModelFile: not an encoder, damaged, altered, or made for other preprocessing.
    """
    import torch  # noqa: PLC0415 - see `fingerprint`

    from contrique_cli.encoder.model import Contrique, Undrawn  # noqa: PLC0415 - loads PyTorch

    content = tensorfile.read(path)
    info = _info(content.header)
    encoder = _part(content.tensors, "encoder.")
    if fingerprint(info.arch, encoder, info.pooling) != info.fingerprint:
        raise BadModelFile(
            f"{path} is damaged: its weights do not have the fingerprint that its header states; "
            "fetch or make it again"
        )
    projector = _part(content.tensors, "projector.")
    with Undrawn():
        model = Contrique(info.arch, info.pooling, has_projector=bool(projector))
    try:
        _fill(model.encoder, encoder)
        _fill(model.projector, projector)
    except RuntimeError as error:
        if lacks_memory(error):
            raise
        raise BadModelFile(f"{path} does not hold a whole {info.arch}: {short(error)}") from error
    for name, value in model.state_dict().items():
        # A number that is not finite makes the sum so; no others can, in float64.
        if value.is_floating_point() and not isfinite(value.sum(dtype=torch.float64)):
            raise BadModelFile(f"{path} holds numbers that are not finite, in {short(name)}")
    return model.eval(), info


def read_info(path: Path) -> EncoderInfo:
    """The header alone.

    Raises:
        BadModelFile: not an encoder.
    """
    return _info(tensorfile.read_header(path))


def _info(header: Header) -> EncoderInfo:
    path = header.path
    if header.kind != KIND:
        raise tensorfile.another(path, header.kind, KIND)
    info = EncoderInfo(
        arch=header.text("arch"),
        pooling=header.text("pooling", LAST),
        preprocessing=header.whole("preprocessing", low=0, high=_ANY),
        fingerprint=header.text("fingerprint"),
        provenance=header.facts("provenance"),
    )
    if info.arch not in ARCHITECTURES:
        raise BadModelFile(
            f"{path} holds a {short(info.arch)!r}, which this contrique does not know"
        )
    if info.pooling not in POOLINGS:
        raise BadModelFile(
            f"{path} pools by {short(info.pooling)!r}, which this contrique does not know"
        )
    if info.preprocessing != PREPROCESSING:
        raise BadModelFile(
            f"{path} was trained for preprocessing {info.preprocessing}, this contrique has "
            f"{PREPROCESSING}; use the contrique it was made with, or train it again"
        )
    return info


def _part(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def _fill(network: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Give a network weights, in copies of its own types: a file may be changed in place.

    Raises:
        RuntimeError: some are missing, too many, or of another shape.
    """
    own = network.state_dict()
    copies = {
        name: value.to(own[name].dtype, copy=True) if name in own else value
        for name, value in weights.items()
    }
    network.load_state_dict(copies, assign=True)
