"""Numbers of things in words, for messages."""

from __future__ import annotations


def plural(number: int, noun: str) -> str:
    """A number and what there are so many of: 1 photo, 2,000 photos."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
