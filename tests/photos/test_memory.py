"""Memory: photos share it, wait for it, and are refused where there is not enough (issue 16.12)."""

from __future__ import annotations

import io
import struct
import threading
import time
import zlib

import pytest
from PIL import Image

from contrique_cli.errors import Refused, Unreadable
from contrique_cli.photos import memory, opening
from tests.conftest import make_photo


def test_a_photo_waits_until_there_is_room_for_it():
    room = memory.Room(10, 20)
    order: list[str] = []

    def work() -> None:
        with room.take(5):
            order.append("second")

    with room.take(8):
        thread = threading.Thread(target=work)
        thread.start()
        time.sleep(0.05)
        order.append("first")
        assert room.since(thread.ident) == float("inf")  # waiting is no work
    thread.join(5)
    assert order == ["first", "second"]
    with room.take(5), room.take(5):
        assert 0 < room.since(threading.get_ident()) <= time.monotonic()


def test_one_that_needs_more_than_is_shared_goes_alone_and_more_than_all_is_refused():
    room = memory.Room(10, 20)
    with room.take(20):
        pass
    with pytest.raises(Refused, match="convert it to a smaller picture"), room.take(21):
        pass


def test_what_a_lost_thread_holds_can_be_taken_from_it():
    room = memory.Room(10, 20)
    with room.take(8):
        room.give_back(threading.get_ident())
        with room.take(10):
            pass


def test_a_photo_too_large_for_the_memory_is_refused_from_its_header():
    file = io.BytesIO()
    make_photo().save(file, "WEBP")
    with pytest.raises(Unreadable, match=r"decoding it takes some .* GB of memory"):
        opening.open_rgb(file.getvalue(), max_side=0, room=memory.Room(1000, 1000))


def deep_png(side: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">IIBBBBB", side, side, 16, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + bytes(2 * side)) * side, 1)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def test_a_deep_picture_takes_little_more_than_its_samples(tmp_path):
    import resource
    import subprocess
    import sys

    (tmp_path / "a.png").write_bytes(deep_png(6000))  # 72 MB of samples
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from contrique_cli.photos import opening\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak()\n"
        "opening.open_rgb(Path(sys.argv[1]), max_side=1024)\n"
        "print((peak() - before) / 1024)\n"
    )
    assert resource
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "a.png"], capture_output=True, check=True
    )
    assert float(done.stdout) < 72 + 120  # megabytes; float64 copies took 1,000


def test_a_failed_photo_keeps_no_pixels():
    file = io.BytesIO()
    Image.effect_noise((1500, 1500), 60).save(file, "PNG")
    kept = []
    import gc

    gc.collect()
    for _ in range(3):
        with pytest.raises(Unreadable) as caught:
            opening.open_rgb(file.getvalue()[:-50_000], max_side=0)
        kept.append(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
