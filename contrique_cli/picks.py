"""Which photos of a report to take: bounds, flaws, so many of a folder, so many in all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from contrique_cli.config import Pick
from contrique_cli.errors import BadReport
from contrique_cli.report import Row, printed


def choose(rows: Iterable[Row], pick: Pick) -> list[Row]:
    """The photos that pass every condition, best first, equal scores by path.

    Conditions on the photo itself come first (bounds, flaw), then the best of each folder, then
    the best of those. A share counts all scored photos of the report, whatever else is asked.

    Args:
        rows: of a report; those without a score are never taken.
        pick: the conditions.

    Raises:
        BadReport: a flaw is asked for and the report knows none.
    """
    scored = [row for row in rows if row.score is not None]
    if pick.flaws and scored and all(row.flaw is None for row in scored):
        raise BadReport(
            "the report's column flaw is empty, so --flaw cannot choose; "
            "score again with a model that has a flaw probe, or leave --flaw out"
        )
    scored.sort(key=lambda row: (-_score(row), str(row.path)))
    if pick.reverse:
        scored.reverse()
    passing = [row for row in scored if _passes(row, pick)]
    return _first_of_each_folder(passing, pick.per_folder)[: pick.limit(len(scored))]


def _score(row: Row) -> float:
    return printed(row.score or 0.0)


def _passes(row: Row, pick: Pick) -> bool:
    score = _score(row)
    return (
        (pick.min_score is None or score >= pick.min_score)
        and (pick.max_score is None or score <= pick.max_score)
        and (not pick.flaws or row.flaw in pick.flaws)
    )


def _first_of_each_folder(rows: list[Row], limit: int | None) -> list[Row]:
    seen: Counter[str] = Counter()
    taken = []
    for row in rows:
        folder = str(row.path.parent)
        seen[folder] += 1
        if limit is None or seen[folder] <= limit:
            taken.append(row)
    return taken
