"""Files that users own, added to the models on this machine: converted, or copied."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from contrique_cli.encoder import checkpoint, tensorfile
from contrique_cli.encoder.architectures import numbers
from contrique_cli.errors import BadModelFile, BadOption, UnknownModel
from contrique_cli.files.reading import exists
from contrique_cli.files.writing import check_writable, replacing
from contrique_cli.models import flaws, installed, locating, regressor
from contrique_cli.models.installed import Installed
from contrique_cli.models.official import checkpointfile, recognising, ridgefile

OFFICIAL_ENCODER = "official"
"""What the official checkpoint is called once imported, unless the user says otherwise."""

_OURS: Mapping[str, tuple[str, Callable[[Path], object]]] = {
    checkpoint.KIND: (installed.ENCODER, checkpoint.load),
    regressor.KIND: (installed.REGRESSOR, regressor.load),
    flaws.KIND: (installed.FLAW, flaws.load),
}
"""Where files of ours belong, and what reads them whole, by what their headers say."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_UNFIT = re.compile(r"[^a-z0-9._-]+")


def import_file(
    path: Path,
    *,
    name: str | None = None,
    model: str | None = None,
    lower_is_better: bool | None = None,
    full_reference: bool | None = None,
    scale: tuple[float, float] | None = None,
) -> Installed:
    """Convert an official file, or copy one of ours, into the user's data folder.

    Its content decides what kind of file it is. Importing the same file again replaces it.

    Args:
        path: the official checkpoint or an official regressor, or any safetensors file of ours.
        name: what to call it; by default `OFFICIAL_ENCODER` for the checkpoint, else the file's
            name without suffix, in lower case.
        model: for an official regressor: name or path of its encoder; by default the imported
            official one.
        lower_is_better: for an official regressor: whether it predicts a DMOS; by default known
            from the file's name, see `recognising.PUBLISHED`. So are the next two.
        full_reference: whether it is for `compare`.
        scale: lowest and highest opinion.

    Raises:
        RefusedPickle: it asks for more than data; nothing of it was executed.
        BadModelFile: not such a file, or damaged.
        BadOption: the name cannot be had, or an option is missing or out of place.
        UnknownModel: the encoder is not installed.
        CannotWrite: the data folder cannot be written.
    """
    kind = recognising.recognise(path)
    if kind == recognising.RIDGE:
        ridge = ridgefile.read(path)
        predicted = _predicted(path, lower_is_better, full_reference, scale)
        return _import_ridge(path, ridge, predicted, name=name, model=model)
    if any(option is not None for option in (model, lower_is_better, full_reference, scale)):
        raise BadOption(
            f"{path} is no official regressor, so there is nothing to say about its encoder, "
            "direction, task or scale: leave those options out"
        )
    if kind == recognising.CHECKPOINT:
        return _import_checkpoint(path, name)
    return _import_ours(path, name)


def _import_checkpoint(path: Path, name: str | None) -> Installed:
    model = checkpointfile.read(path)
    source = _source(path)
    target = _target(checkpoint.KIND, name or OFFICIAL_ENCODER, _comes_from(source))
    checkpoint.save(target.path, model, provenance=source)
    return target


def _import_ridge(
    path: Path,
    ridge: ridgefile.Ridge,
    predicted: recognising.Published,
    *,
    name: str | None,
    model: str | None,
) -> Installed:
    info = checkpoint.read_info(_encoder_path(model))
    expected = numbers(info.arch, info.pooling)
    if ridge.weights.size != expected:
        raise BadModelFile(
            f"{path} has {ridge.weights.size} weights, but its encoder ({info.arch}) gives "
            f"{expected} features; give the encoder it was fitted on as --model"
        )
    is_lower = predicted.lower_is_better
    best, worst = (predicted.low, predicted.high) if is_lower else (predicted.high, predicted.low)
    knots, scores = regressor.range_scale(best=best, worst=worst)
    source = _source(path)
    target = _target(regressor.KIND, name or _stem(path), _comes_from(source))
    found = regressor.Regressor(
        weights=ridge.weights,
        bias=ridge.bias,
        knots=knots,
        scores=scores,
        higher_is_better=not is_lower,
        task=regressor.FULL_REFERENCE if predicted.is_full_reference else regressor.NO_REFERENCE,
        encoder=info.fingerprint,
        max_side=0,  # the published protocol is full resolution
        provenance={
            **source,
            "opinions": predicted.meaning,
            "scale": [predicted.low, predicted.high],
            "scale_source": predicted.scale_source,
            "alpha": ridge.alpha,
        },
    )
    regressor.save(target.path, found)
    return target


def _import_ours(path: Path, name: str | None) -> Installed:
    kind = tensorfile.read_header(path).kind
    if kind not in _OURS:
        raise BadModelFile(f"{path} is a {kind}, which this contrique does not know")
    kind, load = _OURS[kind]
    load(path)
    data = path.read_bytes()
    target = _target(kind, name or _stem(path), lambda there: there.read_bytes() == data)
    with replacing(target.path) as file:
        file.write(data)
    return target


def _predicted(
    path: Path,
    lower_is_better: bool | None,  # noqa: FBT001 - as the options came, None for not given
    full_reference: bool | None,  # noqa: FBT001
    scale: tuple[float, float] | None,
) -> recognising.Published:
    """What a regressor predicts: what is known from its file's name, and what the options say."""
    known = recognising.PUBLISHED.get(path.stem.lower())
    if known is None:
        missing = {
            "--lower-is-better or --higher-is-better": lower_is_better,
            "--full-reference or --no-reference": full_reference,
            "--scale LOWEST HIGHEST": scale,
        }
        if options := ", ".join(option for option, value in missing.items() if value is None):
            raise BadOption(
                f"{path.name} is not called like an official regressor (CLIVE, Koniq, LIVE, CSIQ, "
                f"LIVE_FR, CSIQ_FR), so say what it predicts: {options}"
            )
        known = recognising.UNKNOWN
    if lower_is_better is not None:
        known = replace(known, lower_is_better=lower_is_better)
    if full_reference is not None:
        known = replace(known, is_full_reference=full_reference)
    if scale is not None:
        low, high = scale
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise BadOption(f"--scale {low:g} {high:g}: give the lowest opinion, then the highest")
        known = replace(known, low=low, high=high, scale_source="given when it was imported")
    return known


def _encoder_path(model: str | None) -> Path:
    if model is not None:
        return locating.locate(checkpoint.KIND, model)
    for one in locating.installed(checkpoint.KIND):
        if one.name == OFFICIAL_ENCODER:
            return one.path
    raise UnknownModel(
        "the official encoder, which this regressor belongs to, is not installed: import it first "
        "with `contrique models import CONTRIQUE_checkpoint25.tar`, or give another as --model"
    )


def _source(path: Path) -> dict[str, str]:
    with recognising.opened(path) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"source": path.name, "source_sha256": digest, "licence": recognising.LICENCE}


def _comes_from(source: Mapping[str, str]) -> Callable[[Path], bool]:
    """Whether a file of ours was converted from this source."""

    def is_same(path: Path) -> bool:
        provenance = tensorfile.read_header(path).values.get("provenance")
        digest = provenance.get("source_sha256") if isinstance(provenance, dict) else None
        return bool(digest == source["source_sha256"])

    return is_same


def _target(kind: str, name: str, is_same: Callable[[Path], bool]) -> Installed:
    """Where to write a model of this name; nothing else that is sound is replaced."""
    if not _NAME.fullmatch(name) or name.endswith(installed.SUFFIX):
        raise BadOption(
            f"--name {name}: give a name of letters, digits, dots, hyphens and underscores, "
            "without folder and suffix"
        )
    path = locating.destination(kind, name)
    check_writable(path)
    if exists(path):
        try:
            tensorfile.read_header(path)
            is_free = is_same(path)
        except BadModelFile:
            is_free = True  # to replace a damaged file is how it is mended
        if not is_free:
            raise BadOption(
                f"{name!r} is the name of another {kind} already ({path}); give a new one with "
                "--name, or delete that file"
            )
    return Installed(kind=kind, name=name, path=path, is_bundled=False)


def _stem(path: Path) -> str:
    """A file's name without suffix, made fit for --name and --regressor."""
    return _UNFIT.sub("-", path.stem.lower()).strip("-._") or "imported"
