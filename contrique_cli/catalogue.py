"""The models on this machine: listed with what they are, and added to from files that users own."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from contrique_cli import checkpoint, flaws, modelfiles, official, regressor, tensorfile, weights
from contrique_cli.errors import BadModelFile, BadOption, CannotWrite, UnknownModel
from contrique_cli.files import replacing
from contrique_cli.model import length
from contrique_cli.modelfiles import Installed
from contrique_cli.official import checkpointfile, ridgefile

OFFICIAL_ENCODER = "official"
"""What the official checkpoint is called once imported, unless the user says otherwise."""

SHORT = 12
"""Hexadecimal digits of a fingerprint that people are shown."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_UNFIT = re.compile(r"[^a-z0-9._-]+")

# ------------------------------------------------------------------------------ listing


@dataclass(frozen=True, kw_only=True)
class Row:
    """One installed model, as far as it can be read.

    Attributes:
        kind: `checkpoint.KIND`, `regressor.KIND` or `modelfiles.FLAW`.
        name: what --model or --regressor takes.
        path: where it lies.
        is_bundled: whether it came with the package.
        problem: why it cannot be used; None for a sound one. The rest may then be empty.
        arch: of an encoder: a key of `model.ARCHITECTURES`.
        task: of a regressor: `regressor.NO_REFERENCE` or `regressor.FULL_REFERENCE`.
        fingerprint: of the encoder, or of the encoder a regressor belongs to; shortened.
        encoder: name of the installed encoder a regressor belongs to; None if there is none.
        max_side: working size of a regressor in pixels; 0 is full resolution.
        higher_is_better: direction of a regressor's raw value.
        figures: how good it is, and on what.
        licence: what its maker says, in words; None where nothing is said.
        provenance: how it came to be.
    """

    kind: str
    name: str
    path: Path
    is_bundled: bool
    problem: str | None = None
    arch: str | None = None
    task: str | None = None
    fingerprint: str | None = None
    encoder: str | None = None
    max_side: int | None = None
    higher_is_better: bool | None = None
    figures: Mapping[str, Any] = field(default_factory=dict)
    licence: str | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)


def list_installed() -> list[Row]:
    """Every installed model, the bundled ones first; a damaged one is a row with its problem.

    Every file is read whole and checked as if it were to be used.
    """
    rows = [_row(one) for one in weights.installed()]
    encoders = {
        row.fingerprint: row.name
        for row in reversed(rows)  # of two that are alike the first is found when scoring
        if row.kind == checkpoint.KIND and row.problem is None
    }
    return [
        row if row.kind == checkpoint.KIND else replace(row, encoder=encoders.get(row.fingerprint))
        for row in rows
    ]


def _row(one: Installed) -> Row:
    row = Row(kind=one.kind, name=one.name, path=one.path, is_bundled=one.is_bundled)
    try:
        if not one.path.is_file():
            return replace(row, problem=f"{one.path} is not a regular file")
        return _described(row)
    except Exception as error:  # noqa: BLE001 - hostile bytes raise anything; it is one row
        return replace(row, problem=str(error) or type(error).__name__)


def _described(row: Row) -> Row:
    if row.kind == checkpoint.KIND:
        _, info = checkpoint.load(row.path)
        return replace(
            row,
            arch=info.arch,
            fingerprint=info.fingerprint[:SHORT],
            figures=_mapping(info.provenance.get("figures")),
            licence=_text(info.provenance.get("licence")),
            provenance=info.provenance,
        )
    if row.kind == modelfiles.FLAW:
        probe = flaws.load(row.path)
        return replace(
            row,
            fingerprint=probe.encoder[:SHORT],
            figures=probe.figures,
            provenance={"flaws": ", ".join(probe.names), **probe.provenance},
        )
    found = regressor.load(row.path)
    return replace(
        row,
        task=found.task,
        fingerprint=found.encoder[:SHORT],
        max_side=found.max_side,
        higher_is_better=found.higher_is_better,
        figures=found.figures,
        licence=_text(found.provenance.get("licence")),
        provenance=found.provenance,
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


# ------------------------------------------------------------------------------ adding


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
            from the file's name, see `official.LABELS`. So are the next two.
        full_reference: whether it is for `compare`.
        scale: lowest and highest opinion.

    Raises:
        RefusedPickle: it asks for more than data; nothing of it was executed.
        BadModelFile: not such a file, or damaged.
        BadOption: the name cannot be had, or an option is missing or out of place.
        UnknownModel: the encoder is not installed.
        CannotWrite: the data folder cannot be written.
    """
    kind = official.recognise(path)
    if kind == official.RIDGE:
        ridge = ridgefile.read(path)
        labels = _labels(path, lower_is_better, full_reference, scale)
        return _import_ridge(path, ridge, labels, name=name, model=model)
    if any(option is not None for option in (model, lower_is_better, full_reference, scale)):
        raise BadOption(
            f"{path} is no official regressor, so there is nothing to say about its encoder, "
            "direction, task or scale: leave those options out"
        )
    if kind == official.CHECKPOINT:
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
    labels: official.Labels,
    *,
    name: str | None,
    model: str | None,
) -> Installed:
    info = checkpoint.read_info(_encoder_path(model))
    expected = 2 * length(info.arch, info.pooling)
    if ridge.weights.size != expected:
        raise BadModelFile(
            f"{path} has {ridge.weights.size} weights, but its encoder ({info.arch}) gives "
            f"{expected} features; give the encoder it was fitted on as --model"
        )
    is_lower = labels.lower_is_better
    best, worst = (labels.low, labels.high) if is_lower else (labels.high, labels.low)
    knots, scores = regressor.range_scale(best=best, worst=worst)
    source = _source(path)
    target = _target(regressor.KIND, name or _stem(path), _comes_from(source))
    found = regressor.Regressor(
        weights=ridge.weights,
        bias=ridge.bias,
        knots=knots,
        scores=scores,
        higher_is_better=not is_lower,
        task=regressor.FULL_REFERENCE if labels.is_full_reference else regressor.NO_REFERENCE,
        encoder=info.fingerprint,
        max_side=0,  # the published protocol is full resolution
        provenance={
            **source,
            "opinions": labels.meaning,
            "scale": [labels.low, labels.high],
            "scale_source": labels.scale_source,
            "alpha": ridge.alpha,
        },
    )
    regressor.save(target.path, found)
    return target


def _import_ours(path: Path, name: str | None) -> Installed:
    kind, _ = tensorfile.read_header(path)
    if kind == checkpoint.KIND:
        checkpoint.load(path)
    else:
        regressor.load(path)
    data = path.read_bytes()
    target = _target(kind, name or _stem(path), lambda there: there.read_bytes() == data)
    with replacing(target.path) as file:
        file.write(data)
    return target


# ------------------------------------------------------------------------------ particulars


def _labels(
    path: Path,
    lower_is_better: bool | None,  # noqa: FBT001 - as the options came, None for not given
    full_reference: bool | None,  # noqa: FBT001
    scale: tuple[float, float] | None,
) -> official.Labels:
    """What a regressor predicts: what is known from its file's name, and what the options say."""
    known = official.LABELS.get(path.stem.lower())
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
        known = official.UNKNOWN_LABELS
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
        return weights.locate(checkpoint.KIND, model)
    for one in weights.installed(checkpoint.KIND):
        if one.name == OFFICIAL_ENCODER:
            return one.path
    raise UnknownModel(
        "the official encoder, which this regressor belongs to, is not installed: import it first "
        "with `contrique models import CONTRIQUE_checkpoint25.tar`, or give another as --model"
    )


def _source(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"source": path.name, "source_sha256": digest, "licence": official.LICENCE}


def _comes_from(source: Mapping[str, str]) -> Callable[[Path], bool]:
    """Whether a file of ours was converted from this source."""

    def is_same(path: Path) -> bool:
        _, header = tensorfile.read_header(path)
        provenance = header.get("provenance")
        digest = provenance.get("source_sha256") if isinstance(provenance, dict) else None
        return bool(digest == source["source_sha256"])

    return is_same


def _target(kind: str, name: str, is_same: Callable[[Path], bool]) -> Installed:
    """Where to write a model of this name; nothing else that is sound is replaced."""
    if not _NAME.fullmatch(name) or name.endswith(modelfiles.SUFFIX):
        raise BadOption(
            f"--name {name}: give a name of letters, digits, dots, hyphens and underscores, "
            "without folder and suffix"
        )
    try:
        path = weights.destination(kind, name)
    except OSError as error:
        raise CannotWrite(
            f"{modelfiles.user_folder()} cannot be made ({error.strerror}); set XDG_DATA_HOME to a "
            "folder that can be written"
        ) from error
    if path.is_file():
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
