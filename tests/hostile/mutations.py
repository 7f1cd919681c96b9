"""Hostile variants of sound files: bytes turned, cut and repeated, and values nobody expects."""

from __future__ import annotations

import json
import os
from random import Random
from typing import Any

VALUES = (
    *(None, True, -1, 0, 10**30, -1e308, 1e308, float("inf"), float("nan"), "", "x" * 5000),
    *("\x1b[31mred", "[bold]", "../../etc/passwd", "/dev/null", "\x00", "=1+1", "\udcff", "1,5"),
    *([], {}, [[]], {"a": {"b": {}}}, ["x"] * 50, [None], {"": None}, "nan", "-0", "1e999"),
)
"""What may stand where something else is expected."""

DEEP = "[" * 5000 + "]" * 5000
"""JSON that a reader who follows it chokes on."""


def bytes_of(data: bytes, rng: Random) -> bytes:
    """A damaged copy."""
    start = rng.randrange(len(data) or 1)
    end = min(len(data), start + rng.choice((1, 2, 8, 64, 512, 10**9)))
    middle = data[start:end]
    changed = rng.choice(
        (
            b"",
            bytes(len(middle)),
            b"\xff" * len(middle),
            rng.randbytes(min(len(middle), 512)),
            middle * 2,
            bytes(byte ^ (1 << rng.randrange(8)) for byte in middle[:4]) + middle[4:],
            rng.choice((b"\0", b"\n", b'"', b"{", b"\x80", b"\xef\xbb\xbf", b"\xff\xfe")),
        )
    )
    return data[:start] + changed + data[end:]


def value_of(document: Any, rng: Random) -> Any:
    """A copy of plain data in which one value is another, missing, or of another name."""
    document = json.loads(json.dumps(document))
    place = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return rng.choice(VALUES)
        key = rng.choice(keys)
        if isinstance(place[key], dict | list) and place[key] and rng.random() < 0.7:
            place = place[key]
            continue
        break
    act = rng.randrange(4)
    if act == 0:
        del place[key]
    elif act == 1 and isinstance(place, dict):
        place[f"{key} "] = place.pop(key)
    else:
        place[key] = rng.choice(VALUES)
    return document


def name_of(rng: Random) -> str:
    """A file name as strangers give them."""
    return os.fsdecode(
        rng.choice(
            (b"\xff.jpg", b"new\nline.jpg", b"-r.jpg", b"=1.jpg", b"a\x1b[31m.jpg", b" .jpg")
        )
    )
