"""Average the weights of encoders that were trained from one common encoder (a model soup).

    python training/average.py RUN1/encoder.safetensors RUN2/encoder.safetensors --output OUT

Source: Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves
accuracy without increasing inference time", ICML 2022.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent.parent))

from contrique_cli.encoder import checkpoint


def mean(states: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Mean of each tensor in double precision, in the type it had."""
    return {
        name: torch.stack([state[name].double() for state in states]).mean(0).to(value.dtype)
        for name, value in states[0].items()
    }


def main() -> None:
    """Read, average, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("encoders", type=Path, nargs="+")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    loaded = [checkpoint.load(path) for path in args.encoders]
    if len({info.arch for _, info in loaded}) > 1:
        parser.error("the encoders are of different architectures")
    model = loaded[0][0]
    model.load_state_dict(mean([one.state_dict() for one, _ in loaded]))
    facts = {"average_of": [info.fingerprint for _, info in loaded]}
    checkpoint.save(args.output, model, provenance=dict(loaded[0][1].provenance) | facts)


if __name__ == "__main__":
    main()
