"""The models on this machine: listed with what they are, and added to from files that users own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from contrique_cli.encoder import checkpoint
from contrique_cli.models import flaws, installed, locating, regressor
from contrique_cli.models.installed import Installed

SHORT = 12
"""Hexadecimal digits of a fingerprint that people are shown."""

# ------------------------------------------------------------------------------ listing


@dataclass(frozen=True, kw_only=True)
class ModelRow:
    """One installed model, as far as it can be read.

    Attributes:
        kind: `checkpoint.KIND`, `regressor.KIND` or `installed.FLAW`.
        name: what --model or --regressor takes.
        path: where it lies.
        is_bundled: whether it came with the package.
        problem: why it cannot be used; None for a sound one. The rest may then be empty.
        arch: of an encoder: a key of `model.ARCHITECTURES`.
        task: of a regressor: `regressor.NO_REFERENCE` or `regressor.FULL_REFERENCE`.
        fingerprint: of the encoder, or of the encoder a regressor belongs to; shortened.
        encoder: name of the installed encoder a regressor belongs to; None if there is none.
        max_side: working size of a regressor in pixels; 0 is full resolution.
        figures: how good it is, and on what.
        provenance: how it came to be, and under what licence, where its maker says so.
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
    figures: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)


def list_installed() -> list[ModelRow]:
    """Every installed model, the bundled ones first; a damaged one is a row with its problem.

    Every file is read whole and checked as if it were to be used.
    """
    rows = [_row(one) for one in locating.installed()]
    encoders = {
        row.fingerprint: row.name
        for row in reversed(rows)  # of two that are alike the first is found when scoring
        if row.kind == checkpoint.KIND and row.problem is None
    }
    return [
        row if row.kind == checkpoint.KIND else replace(row, encoder=encoders.get(row.fingerprint))
        for row in rows
    ]


def _row(one: Installed) -> ModelRow:
    row = ModelRow(kind=one.kind, name=one.name, path=one.path, is_bundled=one.is_bundled)
    try:
        if not one.path.is_file():
            return replace(row, problem=f"{one.path} is not a regular file")
        return _described(row)
    except Exception as error:  # noqa: BLE001 - hostile bytes raise anything; it is one row
        return replace(row, problem=str(error) or type(error).__name__)


def _described(row: ModelRow) -> ModelRow:
    if row.kind == checkpoint.KIND:
        _, info = checkpoint.load(row.path)
        return replace(
            row,
            arch=info.arch,
            fingerprint=info.fingerprint[:SHORT],
            figures=_mapping(info.provenance.get("figures")),
            provenance=info.provenance,
        )
    if row.kind == installed.FLAW:
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
        figures=found.figures,
        provenance=found.provenance,
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
