"""Photos opened whole, and why one is refused, for the tests of what opens them."""

from __future__ import annotations

from pathlib import Path

import pytest

from contrique_cli.errors import Unreadable
from contrique_cli.photos import decoding, opening


def open_any(path: Path, **options) -> decoding.Photo:
    """At its own size, whatever that is."""
    return opening.open_rgb(path, **{"max_side": 0, **options})


def reason(path: Path, **options) -> str:
    """Why a photo is refused."""
    with pytest.raises(Unreadable) as caught:
        open_any(path, **options)
    assert caught.value.path == path
    return caught.value.reason
