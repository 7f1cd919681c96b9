"""Pack the training photos into parts small enough to travel, without those held out.

    python training/pack_photos.py ../shared/data .photos --part-mib 36

writes .photos/part-0.tar, part-1.tar ... Unpacked into one folder they give DIR/pristine and
DIR/authentic as `contrique train --data DIR` takes them. Left out, always: pristine photos whose
number is divisible by 5, and BIQ2021's held-out fifth (`splits.py`).
"""

from __future__ import annotations

import argparse
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from training import splits

HELD_OUT = 5
"""One pristine photo of so many is never trained on."""

MIB = 2**20


def chosen(data: Path) -> Iterator[tuple[Path, str]]:
    """Photos to train on, and the names they get."""
    for path in sorted((data / "pristine").iterdir()):
        if int(path.stem) % HELD_OUT:
            yield path, f"pristine/{path.name}"
    for path in sorted((data / "authentic").iterdir()):
        yield path, f"authentic/{path.name}"
    for row in splits.read(data):
        if not row.is_held_out:
            yield data / row.path, f"authentic/{Path(row.path).name}"


def pack(data: Path, output: Path, part_mib: float) -> int:
    """Write the parts; each holds at most `part_mib` MiB of photos.

    Returns:
        How many parts there are.
    """
    output.mkdir(parents=True, exist_ok=True)
    parts: list[list[tuple[Path, str]]] = [[]]
    filled = 0
    for path, name in chosen(data):
        size = path.stat().st_size + 1024  # the archive's own header and padding
        if filled + size > part_mib * MIB:
            parts.append([])
            filled = 0
        parts[-1].append((path, name))
        filled += size
    for number, part in enumerate(parts):
        with tarfile.open(output / f"part-{number}.tar", "w") as archive:
            for path, name in part:
                archive.add(path, name)
    return len(parts)


def main() -> None:
    """Pack and say how much there is."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="folder of pristine, authentic and biq2021")
    parser.add_argument("output", type=Path, help="folder for the parts")
    parser.add_argument("--part-mib", type=float, default=36.0)
    args = parser.parse_args()
    print(f"{pack(args.data, args.output, args.part_mib)} parts in {args.output}")


if __name__ == "__main__":
    main()
