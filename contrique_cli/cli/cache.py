"""The feature cache on the command line: opened for other commands, cache info, cache clear."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from contrique_cli.cli import console
from contrique_cli.files.reading import exists
from contrique_cli.words import plural

if TYPE_CHECKING:
    from contrique_cli.encoder.cache.featurecache import FeatureCache, Part

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def cache() -> None:
    """The features of photos seen before, which make a second run fast.

    Example: contrique cache info
    """


@contextmanager
def opened(*, is_off: bool = False, quiet: bool = False) -> Iterator[FeatureCache | None]:
    """The user's cache while the block runs, its troubles told at the end; None where it is off."""
    if is_off:
        yield None
        return
    from contrique_cli.encoder.cache.featurecache import FeatureCache, location

    with FeatureCache(location()) as found:
        try:
            yield found
        finally:
            found.close()
            if not quiet:
                for note in found.notes:
                    console.say(f"note: {note}")


@app.command()
def info() -> None:
    """Say where the cache lies, how large it is, and what it holds.

    Example: contrique cache info
    """
    from rich import filesize

    from contrique_cli.cli import display
    from contrique_cli.config import CACHE_BYTES
    from contrique_cli.encoder.cache.featurecache import location

    facts: dict[str, str | Path] = {"file": location(), "size": "not there yet"}
    parts: list[Part] = []
    if exists(location()):
        with opened() as found:
            assert found is not None  # noqa: S101 - it is not off
            parts = found.list_parts()
            facts["size"] = filesize.decimal(found.measure())
    facts["limit"] = f"{filesize.decimal(CACHE_BYTES)}, then the photos unused for longest go"
    facts["photos"] = f"{sum(part.photos for part in parts):,}"
    display.show_facts(facts | {f"  {_name(part)}": f"{part.photos:,}" for part in parts})


@app.command()
def clear() -> None:
    """Forget every photo and free the space; the next run computes them again.

    Example: contrique cache clear
    """
    from contrique_cli.encoder.cache.featurecache import location

    photos = 0
    if exists(location()):
        with opened() as found:
            assert found is not None  # noqa: S101 - it is not off
            photos = found.clear()
    console.say(f"{plural(photos, 'photo')} forgotten in {location()}")


def _name(part: Part) -> str:
    """Encoder and working size of a part, in words."""
    facts: dict[str, Any] = part.facts
    if not facts:
        return "of an unknown encoder"
    side = facts.get("max_side")
    size = f"at {side} pixels" if side else "at full resolution"
    return f"{facts.get('arch')} {str(facts.get('encoder'))[:12]} {size}, {facts.get('numerics')}"
