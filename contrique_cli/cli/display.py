"""Tables on standard output and the bar on standard error, as a terminal shows them."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from contrique_cli import config
from contrique_cli.cli.streams import printable
from contrique_cli.reports.rows import cells as reported

if TYPE_CHECKING:
    from contrique_cli.opinions.metrics import Range
    from contrique_cli.reports.rows import Row

GOOD, POOR = 67.0, 33.0
"""Scores from which the table shows green, and below which red: the thirds of the scale."""

_COLUMNS = "rank score stars reference flaw photo burst size".split()
"""Columns of the table, in this order; those that no photo needs are left out."""


_PATHS = ("reference", "photo")
"""Those of them that are folded where they do not fit."""

_AROUND = 3
"""Letters that a column takes beside its own: two blanks and a line."""

_SHOWN_ANYWAY = ("rank", "score", "rating", "burst")
"""Columns of a report that the table has, if by another name."""


_SPARED = "size flaw stars burst rank".split()
"""Columns that a terminal too narrow for paths goes without, the first first."""

_LEAST = 16
"""Letters that a path has before it is folded, if the other columns are to stay."""


def show_table(rows: Sequence[Row], by: str | None = None) -> None:
    """A ranked table on standard output: all of a short report, both ends of a long one.

    Args:
        rows: in their order.
        by: column of the report that they are sorted by, which is shown then.
    """
    items = _ends(rows)
    shown = [item for item in items if not isinstance(item, int)]
    has = {
        "reference": any(row.reference is not None for row in shown),
        "stars": any(row.rating is not None for row in shown),
        "flaw": any(row.flaw not in (None, "none") for row in shown),
        "burst": any(row.burst is not None for row in shown),
    }
    names = [name for name in _COLUMNS if has.get(name, True)]
    if by is not None and by not in _SHOWN_ANYWAY:
        names.insert(names.index("score") + 1, by)
    lines = []
    for item in items:
        if isinstance(item, int):
            cells = {"score": Text("…"), "photo": Text(f"… {item:,} more …")}
        else:
            cells = _cells(item)
            if by in names and by not in cells:
                value = reported(item).get(by)
                cells[by] = Text("" if value is None else f"{value:.4g}")
        lines.append(cells)
    console = _console(sys.stdout)
    names = _fitting(names, lines, console.width)
    table = Table(header_style="bold", expand=False)
    for name in names:
        table.add_column(
            name,
            justify="left" if name in _PATHS or name == "flaw" else "right",
            overflow="fold" if name in _PATHS else "ellipsis",
            no_wrap=name not in _PATHS,
        )
    for item, cells in zip(items, lines, strict=True):
        style = "dim" if isinstance(item, int) else ""
        table.add_row(*(cells.get(name, Text("")) for name in names), style=style)
    console.print(table)


def _fitting(names: list[str], lines: Sequence[Mapping[str, Text]], width: int) -> list[str]:
    """The columns that leave room for paths in so many letters."""
    for spared in _SPARED:
        wide = {
            name: max(len(name), *(line[name].cell_len for line in lines if name in line))
            for name in names
            if name not in _PATHS
        }
        paths = len(names) - len(wide)
        room = width - 1 - sum(wide.values()) - _AROUND * len(names)
        if room >= _LEAST * paths:
            break
        names = [name for name in names if name != spared]
    return names


def _ends(rows: Sequence[Row]) -> list[Row | int]:
    """Rows, or the first and last few with the number of those between."""
    scored = [row for row in rows if row.score is not None]
    failed = [row for row in rows if row.score is None]
    shown: list[Row | int] = []
    for part in (scored, failed):
        hidden = len(part) - 2 * config.TABLE_ROWS
        if hidden > 1:
            shown += [*part[: config.TABLE_ROWS], hidden, *part[-config.TABLE_ROWS :]]
        else:
            shown += part
    return shown


def _cells(row: Row) -> dict[str, Text]:
    photo = Text(printable(str(row.path)))
    if row.score is None:
        score = Text("-", style="red")
        photo.append(f"  {printable(row.error or '')}", style="red")
    else:
        colour = "green" if row.score >= GOOD else "red" if row.score < POOR else "yellow"
        score = Text(f"{row.score:.1f}", style=colour)
        photo.append(f"  {printable(row.note)}" if row.note else "", style="yellow")
    if row.companion is not None:
        photo.append(f"  + {printable(row.companion.name)}", style="dim")
    word = "best" if row.is_burst_best else row.burst_kind if row.is_burst_best is None else ""
    return {
        "rank": Text("" if row.rank is None else str(row.rank)),
        "score": score,
        "stars": Text(_stars(row.rating)),
        "reference": Text(printable(str(row.reference))),
        "flaw": Text("" if row.flaw in (None, "none") else str(row.flaw)),
        "photo": photo,
        "burst": Text("" if row.burst is None else f"{row.burst} {word or ''}".rstrip()),
        "size": Text(f"{row.width}x{row.height}" if row.width else "", style="dim"),
    }


def _stars(rating: float | None) -> str:
    if rating is None:
        return ""
    return "reject" if rating < 0 else f"{rating:g}"


def show_facts(facts: Mapping[str, str | Path], *, title: str = "") -> None:
    """Names and values in two columns without a frame; a path stays in one piece to be copied."""
    console = _console(sys.stdout)
    indent = max(map(len, facts), default=0) + 2
    if title:
        console.print(Text(printable(title), style="bold"), soft_wrap=True)
    for name, value in facts.items():
        text = printable(str(value))
        if not isinstance(value, Path):
            gap = "\n" + " " * indent
            width = max(console.width - indent, 20)
            text = gap.join(textwrap.wrap(text, width, break_long_words=False)) or text
        label = printable(name).ljust(indent)
        console.print(Text.assemble((label, "bold"), text), soft_wrap=True)


def show_models(rows: Sequence[tuple[str, str, str, str]]) -> None:
    """A short table of models on standard output: kind, name, origin and a few words."""
    table = Table(header_style="bold", box=None, pad_edge=False)
    for name in ("kind", "name", "from"):
        table.add_column(name, no_wrap=True)
    table.add_column("what", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    _console(sys.stdout).print(table)


def show_figures(title: str, spread: str, figures: Mapping[str, Range]) -> None:
    """Figures of agreement with their spread, a line each, on standard output."""
    rows = [(name.upper(), figure) for name, figure in figures.items()]
    _show_ranges(title, ("figure", "value", spread), rows)


def show_curve(title: str, rows: Sequence[tuple[str, Range]]) -> None:
    """How agreement grows with the photos fitted to, a line each, on standard output."""
    _show_ranges(title, ("rated photos fitted to", "SROCC", "quartiles"), rows)


def _show_ranges(
    title: str, header: tuple[str, str, str], rows: Sequence[tuple[str, Range]]
) -> None:
    table = Table(title=Text(printable(title)), title_justify="left", header_style="bold")
    for name in header:
        table.add_column(name, justify="left" if name == header[0] else "right")
    for name, figure in rows:
        table.add_row(Text(printable(name)), *spell(figure))
    _console(sys.stdout).print(table)


def spell(figure: Range) -> tuple[str, str]:
    """A figure in digits, and the bounds it lies between; no bounds where it is undefined."""
    value, low, high = figure
    between = "" if low is None or high is None else f"{low:.3f} - {high:.3f}"
    return "undefined" if value is None else f"{value:.3f}", between


class _Rate(ProgressColumn):
    """How fast it goes: photos, or what else is counted, per second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f} {self.unit}/s", style="dim")


@contextmanager
def bar(label: str, total: int | None, unit: str) -> Iterator[Callable[..., None]]:
    """A bar of items done; see `console.progress`."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(unit),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_console(sys.stderr), transient=True) as shown:
        task = shown.add_task(label, total=total)

        def advance(found: int | None = None) -> None:
            if found is not None:
                shown.update(task, total=found)
            shown.advance(task)

        yield advance


@contextmanager
def described() -> Iterator[Callable[[str, float], bool]]:
    """A bar of how much is done, in words that change; see `console.described`."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
    )
    with Progress(*columns, console=_console(sys.stderr), transient=True) as shown:
        task = shown.add_task("starting", total=1.0)

        def show(words: str, done: float) -> bool:
            shown.update(task, description=words, completed=done)
            return True

        yield show


def _console(stream: object) -> Console:
    return Console(file=stream, highlight=False, soft_wrap=False)  # type: ignore[arg-type]
