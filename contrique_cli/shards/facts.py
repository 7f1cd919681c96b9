"""What all results of a folder have in common: the models that made them, to the last weight."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from contrique_cli.models.flaws import FlawProbe
from contrique_cli.models.regressor import Regressor
from contrique_cli.scoring.pipeline import Pipeline, describe

_ASIDE = ("figures", "provenance")  # of a model: they change no row
_SHOWN = 30  # letters of a value in a message


def of(pipeline: Pipeline) -> dict[str, Any]:
    """Facts of a model, equal wherever it gives the same rows; but for contrique's version.

    A regressor and a probe may be fitted anew under the same name, so their content counts.
    """
    probe = pipeline.probe
    return {
        **describe(pipeline),
        "regressor_fingerprint": _fingerprint(pipeline.regressor),
        "flaw_probe_fingerprint": None if probe is None else _fingerprint(probe),
    }


def difference(found: bytes, mine: Mapping[str, Any]) -> str | None:
    """What results that are there differ in, in words; a newer contrique alone changes no row.

    Args:
        found: JSON of their facts.
        mine: facts of those to come.
    """
    try:
        theirs = json.loads(found)
    except (ValueError, RecursionError):
        theirs = None
    if not isinstance(theirs, dict):
        return "which ones cannot be read"
    names = [name for name in {**mine, **theirs} if name != "contrique"]
    return (
        ", ".join(
            f"{name} {_short(theirs.get(name))} there and {_short(mine.get(name))} here"
            for name in names
            if theirs.get(name) != mine.get(name)
        )
        or None
    )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _fingerprint(model: Regressor | FlawProbe) -> str:
    """sha256, 64 hexadecimal digits, of all that bears on rows."""
    digest = hashlib.sha256()
    for one in dataclasses.fields(model):
        if one.name not in _ASIDE:
            value = getattr(model, one.name)
            is_number = isinstance(value, np.ndarray | float)
            data = np.asarray(value).tobytes() if is_number else json.dumps(value).encode()
            digest.update(f"{one.name} {len(data)} ".encode() + data)
    return digest.hexdigest()
