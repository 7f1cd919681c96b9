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

    def name(self, features: np.ndarray) -> list[Flaw]:
        """The dominant flaw of each photo; see `choose`.

        Args:
            features: shape (N, 2F).
        """
        return self.choose(self.probabilities(features))

    def choose(self, found: np.ndarray) -> list[Flaw]:
        """The likeliest flaw of each photo; `NONE` where no flaw reaches the confidence.

        Args:
            found: see `probabilities`.
        """
        nothing = list(self.names).index(NONE)
        flaws = []
        for row in found:
            likeliest = int(row.argmax())
            if likeliest == nothing or row[likeliest] < self.confidence:
                likeliest = nothing
            flaws.append(Flaw(self.names[likeliest], float(row[likeliest])))
        return flaws


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
