"""Photos of strangers: whatever is in them, a row each, in bounded time and memory (issue 16)."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from contrique_cli.errors import Unreadable
from contrique_cli.photos import opening
from tests.conftest import ROOT, make_photo
from tests.hostile.counting import LONG, Count

FORMATS = {
    "JPEG": {}, "progressive": {"progressive": True}, "PNG": {}, "WEBP": {}, "TIFF": {},
    "lzw": {"compression": "tiff_lzw"}, "BMP": {}, "GIF": {}, "JPEG2000": {}, "AVIF": {},
}  # fmt: skip
KINDS = {"progressive": "JPEG", "lzw": "TIFF"}

SLOW = """
import hashlib, sys
from contrique_cli.photos import opening
real = opening.open_rgb
def open_rgb(source, **options):
    if "slow" in source.name:
        hashlib.pbkdf2_hmac("sha256", b"x", b"y", 10**9)  # C code that nothing interrupts
    return real(source, **options)
opening.open_rgb = open_rgb
from contrique_cli.__main__ import main
main()
"""


def encode(name: str) -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x9003] = 6, "2020:01:02 03:04:05"
    file = io.BytesIO()
    make_photo(1, 80, 60).save(file, KINDS.get(name, name), exif=exif, **FORMATS[name])
    return file.getvalue()


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """Bytes changed, removed, repeated or added; mostly near the start, where headers lie."""
    changed = bytearray(data)
    reach = len(changed) if rng.random() < 0.4 else min(len(changed), 200)
    kind = rng.integers(0, 5)
    at = int(rng.integers(2, reach))
    length = int(rng.integers(1, 64))
    if kind == 0:
        for place in rng.integers(2, reach, int(rng.integers(1, 9))):
            changed[place] = rng.integers(0, 256)
    elif kind == 1:
        del changed[at : at + length]
    elif kind == 2:
        changed[at:at] = changed[at : at + length]
    elif kind == 3:
        changed[at : at + 4] = int(rng.choice([0, 1, 2**31 - 1, 2**32 - 1])).to_bytes(4, "big")
    else:
        changed[at:at] = rng.bytes(length)
    return bytes(changed)


def try_photos(count: Count, times: int, seed: int) -> None:
    """So many mutated photos of each format, in turns."""
    rng = np.random.default_rng(seed)
    whole = {}
    for name in FORMATS:
        with suppress(KeyError):  # this Pillow does not write it
            whole[name] = encode(name)
    for name in count.within([*whole] * times):
        data = mutate(whole[name], rng)
        with count.one(about=name):
            try:
                photo = opening.open_rgb(data, max_side=64, max_megapixels=2)
            except Unreadable as problem:
                assert problem.reason
                assert problem.__context__ is None
            else:
                assert photo.image.mode == "RGB"
                assert max(photo.image.size) <= 64


@pytest.mark.filterwarnings("ignore")
def test_mutated_photos_of_every_format_are_opened_or_refused():
    with Count("photos") as count:
        try_photos(count, 60, seed=0)
    assert count.tried >= 60 * 9


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_many_mutated_photos_are_opened_or_refused():
    with Count("photos", seconds=LONG) as count:
        try_photos(count, 2000, seed=1)


@pytest.fixture
def slow_photos(tmp_path, tiny_regressor):
    folder = tmp_path / "many"
    folder.mkdir()
    for name in ("a", "b-slow", "c"):
        make_photo(len(name), 64, 48).save(folder / f"{name}.png")
    return folder


def start(*args: object, **options: object) -> subprocess.Popen[bytes]:
    words = ["--regressor", "tiny", "--device", "cpu", "--no-cache"]
    command = [sys.executable, "-c", SLOW, "score", *map(str, args), *words]
    return subprocess.Popen(command, cwd=ROOT, **options)


def test_a_photo_that_takes_too_long_is_one_row_and_the_program_ends(slow_photos):
    assert hashlib.pbkdf2_hmac
    program = start(
        slow_photos, "--format", "jsonl", "--max-seconds", 1, "--workers", 1, stdout=subprocess.PIPE
    )
    out, _ = program.communicate(timeout=60)
    rows = {os.path.basename(row["path"]): row for row in map(json.loads, out.splitlines())}
    assert program.returncode == 3
    assert rows["b-slow.png"]["error"] == "not decoded within 1 s (see --max-seconds)"
    assert None not in (rows["a.png"]["score"], rows["c.png"]["score"])


def test_an_interrupt_ends_the_program_though_a_decoder_does_not(slow_photos, tmp_path):
    report = tmp_path / "r.csv"
    with start(slow_photos, "--output", report, "--workers", 2) as program:
        deadline = time.monotonic() + 60
        while program.poll() is None and time.monotonic() < deadline:
            threads = len(os.listdir(f"/proc/{program.pid}/task"))
            if threads > 2:
                break
            time.sleep(0.2)
        time.sleep(3)  # the others are done
        program.send_signal(signal.SIGINT)
        asked = time.monotonic()
        program.wait(timeout=30)
        assert time.monotonic() - asked < 10  # 2 s on a machine that is not busy
    assert program.returncode == 130
    assert "a.png" in report.read_text()
