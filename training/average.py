"""A weighted mean of the weights of two encoders: a model soup of a start and what it became.

    python training/average.py imagenet RUN/encoder.safetensors --share 0.3 --output OUT

The more of the second, the more the mean knows of distortions, and the less of photographs.

Source: Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent.parent))

from contrique_cli.encoder import checkpoint
from contrique_cli.encoder.model import FULL, Contrique
from contrique_cli.pretraining import imagenet


def load(name: str) -> Contrique:
    """An encoder's file, or the published ImageNet weights."""
    if name != imagenet.NAME:
        return checkpoint.load(Path(name))[0]
    model = Contrique(imagenet.ARCH, FULL).eval()
    imagenet.load_into(model.encoder)
    return model


def main() -> None:
    """Write the mean."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("encoders", nargs=2, help="two encoders' files, or imagenet")
    parser.add_argument("--share", type=float, default=0.5, help="of the second, 0 to 1")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    first, second = (load(name).encoder.state_dict() for name in args.encoders)
    mean = {
        name: torch.lerp(value, second[name], args.share) if value.is_floating_point() else value
        for name, value in first.items()
    }
    arch = checkpoint.read_info(Path(args.encoders[1])).arch
    model = Contrique(arch, FULL).eval()
    model.encoder.load_state_dict(mean)
    facts = {"mean_of": [Path(name).name for name in args.encoders], "share": args.share}
    checkpoint.save(args.output, model, provenance=facts, projector=False)
    print(f"{args.share:g} of {args.encoders[1]} and the rest of {args.encoders[0]}: {args.output}")


if __name__ == "__main__":
    main()
