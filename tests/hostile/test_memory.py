"""Runs within a limit of memory: a photo too large is a row, and too little for all is a line."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from tests.conftest import ROOT

resource = pytest.importorskip("resource")
if not Path("/proc/self/statm").exists():
    pytest.skip("needs Linux, which tells how much address space is taken", allow_module_level=True)

WITHIN = """
import resource, sys
from pathlib import Path
import numpy.fft, torch
from contrique_cli.encoder import features
taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + (int(sys.argv.pop(1)) << 20),) * 2)
from contrique_cli.__main__ import main
main()
"""


def within(megabytes: int, *args: object) -> subprocess.CompletedProcess[str]:
    """`contrique ARGS` with so much memory beside what PyTorch itself takes."""
    words = ["--regressor", "tiny", "--device", "cpu", "--no-cache"]
    return subprocess.run(
        [sys.executable, "-c", WITHIN, str(megabytes), *map(str, args), *words],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def write_empty_png(path: Path, side: int) -> None:
    """A square picture of 16-bit grey in as few bytes as zlib needs for zeros."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    packer = zlib.compressobj(9)
    row = bytes(2 * side + 1)
    rows = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 16, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


@pytest.mark.usefixtures("tiny_regressor")
def test_a_photo_that_does_not_fit_is_a_row_among_the_others(photos):
    write_empty_png(photos / "huge.png", 17300)
    done = within(450, "score", photos, "--format", "jsonl", "--workers", 2)
    assert done.returncode == 3, done.stderr
    rows = {Path(row["path"]).name: row for row in map(json.loads, done.stdout.splitlines())}
    assert "memory" in rows.pop("huge.png")["error"]
    assert sorted(rows) == ["a.jpg", "b.jpg", "c.jpg"]
    assert all(row["score"] is not None for row in rows.values())


@pytest.mark.usefixtures("tiny_regressor")
def test_too_little_memory_for_the_program_is_one_line_that_helps(photos):
    done = within(60, "score", photos, "--format", "csv")
    assert done.returncode == 1
    assert "error: not enough memory for the program itself: " in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
