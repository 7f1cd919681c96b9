"""Packing photos for a machine far away: nothing held out travels."""

from __future__ import annotations

import tarfile

from training.pack_photos import pack


def test_parts_hold_the_training_photos_once_and_none_held_out(tmp_path):
    for folder, names in (
        ("pristine", [f"{n:04}.webp" for n in range(12)]),
        ("authentic", ["0000.webp", "0005.webp"]),
        ("biq2021", ["ss01_5.jpg", "ss01_25.jpg", "ss02_119.jpg"]),
    ):
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).write_bytes(b"x" * 3000)
    rows = [f"biq2021/ss0{name},0.5,s" for name in ("1_5.jpg", "1_25.jpg", "2_119.jpg")]
    (tmp_path / "biq2021.csv").write_text("path,mos,subset\n" + "\n".join(rows) + "\n")
    count = pack(tmp_path, tmp_path / "parts", part_mib=0.02)
    names = []
    for number in range(count):
        with tarfile.open(tmp_path / "parts" / f"part-{number}.tar") as archive:
            names += archive.getnames()
    assert count > 1
    assert sorted(names) == sorted(
        [f"pristine/{n:04}.webp" for n in (1, 2, 3, 4, 6, 7, 8, 9, 11)]
        + ["authentic/0000.webp", "authentic/0005.webp"]
        + ["authentic/ss01_25.jpg"]  # the runs 5 // 20 and 119 // 20 are held out
    )
