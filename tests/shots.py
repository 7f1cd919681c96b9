"""Photos with the time at which they were taken, as cameras write them."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from tests.conftest import blurred, make_photo


def save(path: Path, image: Image.Image, taken: str = "", fraction: str = "") -> None:
    exif = Image.Exif()
    if taken:
        exif.get_ifd(0x8769)[0x9003] = taken
    if fraction:
        exif.get_ifd(0x8769)[0x9291] = fraction
    image.save(path, quality=90, exif=exif)


def make_shoot(folder: Path) -> Path:
    """a, b and d are one burst (b the sharpest), c is alone, e and f are copies without a time."""
    folder.mkdir()
    motif = make_photo(1, 320, 240)
    for name, radius, second in (("a", 1, "00"), ("b", 0, "01"), ("d", 2, "02")):
        save(folder / f"{name}.jpg", blurred(motif, radius), f"2024:05:06 12:00:{second}")
    save(folder / "c.jpg", make_photo(2, 320, 240), "2024:05:06 12:00:01")
    save(folder / "e.jpg", make_photo(3, 320, 240))
    save(folder / "f.jpg", make_photo(3, 320, 240).resize((160, 120)))
    return folder
