"""Grouping near-duplicates, as a step between scoring and the report."""

from __future__ import annotations

from contrique_cli import config
from contrique_cli.cli import console
from contrique_cli.reports.rows import Row


class Grouping:
    """A step for `cli_report.deliver`: marks the bursts and the best photo of each."""

    def __init__(self, gap: float | None, max_megapixels: float, *, quiet: bool) -> None:
        """Take the options.

        Args:
            gap: longest pause within a burst in seconds; None for the default.
            max_megapixels: see `opening.open_rgb`.
            quiet: no progress and no summary.
        """
        self.gap = config.BURST_GAP if gap is None else gap
        self.max_megapixels = max_megapixels
        self.quiet = quiet

    def __call__(self, rows: list[Row]) -> list[Row]:
        """Fill the columns of all rows."""
        from contrique_cli.collection import bursts

        scored = sum(row.score is not None for row in rows)
        with console.progress("finding bursts", scored, quiet=self.quiet) as advance:
            marked = bursts.mark(
                rows, gap=self.gap, max_megapixels=self.max_megapixels, on_photo=advance
            )
        if not self.quiet:
            inside = sum(row.burst is not None for row in marked)
            groups = len({row.burst for row in marked} - {None})
            console.say(f"{groups:,} bursts with {inside:,} photos")
        return marked

    def status(self, status: int) -> int:
        """The report's: a photo without a group is no failure."""
        return status
