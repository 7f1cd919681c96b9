"""The flaw probe: features to the dominant flaw and its probability, bound to one encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from contrique_cli.encoder import tensorfile
from contrique_cli.errors import BadModelFile

KIND = "flaw probe"
NONE = "none"
"""Name of the class of photos without a flaw, and the answer where none is certain enough."""

WEAK_SCORE = 20.0
"""Score below which a photo has some flaw: there the likeliest is named with less certainty. A
probe that learnt from flaws made by computation is shy of those that cameras make."""

HALF = 0.5
"""Share of the flaws' probability above which a flaw is named in such a photo."""

BLURRED, BLUR = ("blur", "motion blur", "smearing"), "blur"
"""Flaws that look alike in real photos, and what they are called together there."""

MISTAKEN = "compression"
"""Not named in such a photo: it is what the bundled probe sees in real darkness."""


class Flaw(NamedTuple):
    """The dominant flaw of a photo and its probability; the probability of no flaw with `NONE`."""

    name: str
    probability: float


@dataclass(frozen=True, kw_only=True)
class FlawProbe:
    """A multinomial logistic regression on an encoder's features.

    Attributes:
        names: of the K classes; one of them is `NONE`.
        weights: shape (2F, K), float32.
        bias: shape (K,), float32.
        confidence: probability below which no flaw is named, in [0, 1].
        encoder: fingerprint of the encoder that made the features.
        figures: how good it is, and on what: plain facts.
        provenance: how it came to be: plain facts.
    """

    names: Sequence[str]
    weights: np.ndarray = tensorfile.tensor(np.float32, dimensions=2)
    bias: np.ndarray = tensorfile.tensor(np.float32, dimensions=1)
    confidence: float
    encoder: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """The probability of each class, shape (N, K), rows summing to 1.

        Args:
            features: shape (N, 2F).
        """
        logits = features.astype(np.float64) @ self.weights + self.bias
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        found: np.ndarray = odds / odds.sum(axis=1, keepdims=True)
        return found

    def choose(self, found: np.ndarray, scores: np.ndarray) -> list[Flaw]:
        """The likeliest class of each photo where it reaches the confidence.

        Else `NONE`, but in photos that score below `WEAK_SCORE` the flaw that has more than half of
        the probability that `NONE` and `MISTAKEN` leave; all that is `BLURRED` together is `BLUR`.

        Args:
            found: see `probabilities`.
            scores: 0 to 100, shape (N,).
        """
        return [self._choose(row, score) for row, score in zip(found, scores, strict=True)]

    def _choose(self, row: np.ndarray, score: float) -> Flaw:
        chances = dict(zip(self.names, row.tolist(), strict=True))
        likeliest = Flaw(*max(chances.items(), key=lambda item: item[1]))
        if likeliest.probability >= self.confidence:
            return likeliest
        suspect = _suspect(chances) if score < WEAK_SCORE else None
        return suspect or Flaw(NONE, chances[NONE])


def _suspect(chances: Mapping[str, float]) -> Flaw | None:
    """The flaw that has more than half of what counts in a weak photo, where there is one."""
    left = {name: chances[name] for name in chances if name not in (NONE, MISTAKEN)}
    together = [(BLUR, sum(left.get(name, 0.0) for name in BLURRED))] if BLUR in left else []
    least = HALF * sum(left.values())
    return next((Flaw(*flaw) for flaw in (*left.items(), *together) if flaw[1] > least), None)


def save(path: Path, probe: FlawProbe) -> None:
    """Write a probe, whole or not at all; plain numbers and facts, no pickle.

    Raises:
        CannotWrite: see `writing.replacing`.
    """
    tensorfile.save(path, KIND, probe)


def load(path: Path) -> FlawProbe:
    """Read a probe.

    Raises:
        BadModelFile: not a probe, or one with numbers that cannot be.
    """
    content = tensorfile.read_arrays(path)
    header = content.header
    if header.kind != KIND:
        raise tensorfile.another(path, header.kind, KIND)
    probe = FlawProbe(
        names=header.texts("names"),
        confidence=header.share("confidence"),
        encoder=header.text("encoder"),
        figures=header.facts("figures"),
        provenance=header.facts("provenance"),
        **content.tensors_of(FlawProbe),
    )
    count = len(probe.names)
    is_sound = probe.weights.shape[1] == count == probe.bias.size and NONE in probe.names
    if not is_sound:
        raise BadModelFile(f"{path} holds numbers that no {KIND} can have; make it again")
    return probe
