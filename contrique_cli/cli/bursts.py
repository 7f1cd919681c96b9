"""Near-duplicates grouped between scoring and the report."""

from __future__ import annotations

from collections import Counter

from contrique_cli.cli import console
from contrique_cli.reports.rows import Row
from contrique_cli.words import plural


def mark(rows: list[Row], *, gap: float, max_megapixels: float, quiet: bool) -> list[Row]:
    """Number the bursts, mark the best photo of each, and say how many there are.

    Args:
        rows: unranked.
        gap: longest pause within a burst in seconds.
        max_megapixels: see `opening.open_rgb`.
        quiet: no progress and no summary.
    """
    from contrique_cli.collection import bursts

    scored = sum(row.score is not None for row in rows)
    with console.progress("finding bursts", scored, quiet=quiet) as advance:
        marked = bursts.mark(rows, gap=gap, max_megapixels=max_megapixels, on_photo=advance)
    if not quiet:
        kinds = {row.burst: row.burst_kind for row in marked if row.burst is not None}
        photos = Counter(row.burst_kind for row in marked)
        for kind, groups in sorted(Counter(kinds.values()).items(), reverse=True):
            console.say(f"{plural(groups, str(kind))} with {plural(photos[kind], 'photo')}")
        if not kinds:
            console.say(f"no burst: no photos taken within {gap:g} seconds look alike")
    return marked
