"""Two encoders as one of two branches that share their first stages.

    python training/join.py imagenet RUN/encoder.safetensors --output OUT
    python training/join.py imagenet RUN/encoder.safetensors --graft --output OUT

The second must have been trained with the first one's first stages, frozen (`frozen_first = 5`), so
that each branch sees the very maps that it was trained on. With --graft the first gives these
stages and the second the others, of one network, from which such training can start.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parent.parent))

from contrique_cli.encoder import checkpoint
from contrique_cli.encoder.architectures import ARCHITECTURES, FULL
from contrique_cli.encoder.model import Contrique
from contrique_cli.pretraining import imagenet

PLAIN, BRANCHED = imagenet.ARCHS


def load(name: str) -> nn.Sequential:
    """An encoder's file, or the published ImageNet weights."""
    if name != imagenet.NAME:
        model, info = checkpoint.load(Path(name))
        if info.arch != PLAIN:
            raise SystemExit(f"{name} is a {info.arch}, not a {PLAIN}")
        return model.encoder
    model = Contrique(PLAIN)
    imagenet.load_into(model.encoder)
    return model.encoder


(FORK,) = ARCHITECTURES[BRANCHED].branches.values()
"""Index of the layer whose map both branches take."""


def graft(first: nn.Sequential, second: nn.Sequential) -> Contrique:
    """The last stages of the second on the first ones of the first."""
    model = Contrique(PLAIN, FULL).eval()
    row = nn.Sequential(*first[: FORK + 1], *second[FORK + 1 :])
    model.encoder.load_state_dict(row.state_dict())
    return model


def join(first: nn.Sequential, second: nn.Sequential) -> Contrique:
    """Both as branches of one.

    Raises:
        ValueError: they differ in what they would share.
    """
    shared = [row[: FORK + 1].state_dict() for row in (first, second)]
    for name, value in shared[0].items():
        if value.is_floating_point() and not torch.equal(value, shared[1][name]):
            raise ValueError(f"the encoders differ in {name}, which both branches would share")
    model = Contrique(BRANCHED, FULL).eval()
    model.encoder.load_state_dict(nn.Sequential(*first, *second[FORK + 1 :]).state_dict())
    return model


def main() -> None:
    """Write the joint encoder."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("encoders", nargs=2, help="two encoders' files, or imagenet")
    parser.add_argument("--graft", action="store_true", help="one network of both, no branches")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    model = (graft if args.graft else join)(*map(load, args.encoders))
    facts = {"made_of": [Path(name).name for name in args.encoders]}
    checkpoint.save(args.output, model, provenance=facts, projector=False)


if __name__ == "__main__":
    main()
