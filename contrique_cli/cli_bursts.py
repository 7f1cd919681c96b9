"""Grouping near-duplicates, as a step between scoring and the report."""

from __future__ import annotations

from collections.abc import Callable

from contrique_cli import config, console
from contrique_cli.report import Row


def step(
    gap: float | None, max_megapixels: float, *, quiet: bool
) -> Callable[[list[Row]], list[Row]]:
    """What `cli_report.deliver` is to do with all rows.

    Args:
        gap: longest pause within a burst in seconds; None for the default.
        max_megapixels: see `images.open_rgb`.
        quiet: no progress and no summary.
    """

    def mark(rows: list[Row]) -> list[Row]:
        from contrique_cli import bursts

        scored = sum(row.score is not None for row in rows)
        with console.progress("finding bursts", scored, quiet=quiet) as advance:
            marked = bursts.mark(
                rows,
                gap=config.BURST_GAP if gap is None else gap,
                max_megapixels=max_megapixels,
                on_photo=advance,
            )
        if not quiet:
            inside = sum(row.burst is not None for row in marked)
            groups = len({row.burst for row in marked} - {None})
            console.say(f"{groups:,} bursts with {inside:,} photos")
        return marked

    return mark
