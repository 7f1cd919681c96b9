"""Write which photos made the bundled model, where each came from, and what it was used for.

    python training/manifest.py ../shared/data --output training/manifest.csv

Columns: the photo's path below the data folder, its use (`trained`, or `held out` from everything
but measuring), its collection, the original's name in it, and the licence as far as the data say.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

from training import pack_photos, splits

WALLPAPERS = "free wallpaper collection, mostly Creative Commons; single licences not recorded"
RESEARCH = "research set; terms not recorded"
BLOG = "photographer's own site; terms not recorded"

LICENCES = {
    "avif_xiph": "test pictures of a codec; not recorded",
    "selfexsr": "Urban100: Creative Commons photos from Flickr (Huang et al., CVPR 2015)",
    "aerobless": BLOG,
    "camera_samples": "camera samples; not recorded",
    "exposure_nafifi": f"{RESEARCH}, some file names say CC BY-NC-SA 2.0",
    "herschel_photos": BLOG,
    "k1monfared_photos": BLOG,
    "lowlight_zerodce": RESEARCH,
    "nanonets_plates": RESEARCH,
    "pigallery_demo": "demonstration photos of a gallery; not recorded",
    "polyu_noise": RESEARCH,
    "sice_test": RESEARCH,
    "biq2021": "BIQ2021 (Ahmed and Asif, 2022), published for image-quality research",
}
"""By collection; the others hand out wallpapers."""


class Entry(NamedTuple):
    """One row of the manifest."""

    file: str
    use: str
    collection: str
    original: str
    licence: str


def entries(data: Path) -> Iterator[Entry]:
    """Every photo of the data folder, in the order of its tables."""
    trained = {str(path.relative_to(data)) for path, _ in pack_photos.chosen(data)}

    def entry(file: str, collection: str, original: str) -> Entry:
        use = "trained" if file in trained else "held out"
        return Entry(file, use, collection, original, LICENCES.get(collection, WALLPAPERS))

    with (data / "sources.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            folder, _, original = row["source"].partition("/")
            yield entry(row["file"], folder.partition("_")[2], original)
    for rated in splits.read(data):
        yield entry(rated.path, "biq2021", Path(rated.path).name)


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="folder of sources.csv and biq2021.csv")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    with args.output.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Entry._fields)
        writer.writerows(entries(args.data))


if __name__ == "__main__":
    main()
