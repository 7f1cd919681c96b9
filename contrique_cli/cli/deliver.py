"""From a stream of rows to the report asked for, what is done with it, and an exit status."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from contrique_cli import config
from contrique_cli.cli import console
from contrique_cli.errors import BadOption, CannotWrite, NoImagesFound, lacks_memory
from contrique_cli.files import tables, writing
from contrique_cli.files.reading import why
from contrique_cli.reports.rows import Row, printed, rank, to_bytes, to_csv, to_json_line
from contrique_cli.words import plural

DONE, NOTHING, SOME_FAILED, BELOW, INTERRUPTED = 0, 1, 3, 4, 130
"""Exit statuses; 2, wrong usage, is the option parser's."""

SUFFIXES = {f".{name}": name for name in ("csv", "json", "jsonl", "parquet")} | {".ndjson": "jsonl"}
"""Formats of reports, by the end of the file's name."""

STDOUT = "-"
"""What stands for standard output, as with other programs."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a report goes and as what.

    Attributes:
        path: a file; None is standard output.
        format: one of `config.FORMATS`.
        fail_under: score below which the exit status tells; None for never.
        quiet: no progress and no summary.
        is_whole: a column is known only once all rows are, so none may go early.
        has_flaws: whether CSV has a column for every flaw, too.
        by: column that the rows are sorted by, which a table shows; None for the usual order.
    """

    path: Path | None
    format: str
    fail_under: float | None = None
    quiet: bool = False
    is_whole: bool = False
    has_flaws: bool = False
    by: str | None = None

    @property
    def is_streaming(self) -> bool:
        """Whether each row goes out as soon as it is there."""
        return self.format == "jsonl" and not self.is_whole


def target(
    output: Path | None,
    file_format: str | None = None,
    *,
    fail_under: float | None = None,
    quiet: bool = False,
    is_whole: bool = False,
    has_flaws: bool = False,
    by: str | None = None,
) -> Target:
    """Settle the format: as told, else by suffix, else a table for a person and CSV for a pipe.

    Raises:
        BadOption: an unknown format or suffix, or a table into a file.
        CannotWrite: the file could not be written; better known before than after the work.
    """
    if file_format is not None and file_format not in config.FORMATS:
        raise BadOption(f"--format {file_format}: choose one of {', '.join(config.FORMATS)}")
    if str(output) == STDOUT:
        output = None
    if output is None:
        chosen = file_format or ("table" if sys.stdout.isatty() else "csv")
    else:
        chosen = file_format or SUFFIXES.get(output.suffix.lower(), "")
        if chosen in ("", "table"):
            raise BadOption(
                f"--output {output}: end it in .csv, .json, .jsonl or .parquet; results of shards "
                "go to a folder, with / at its end"
            )
        writing.check_writable(output)
    if chosen == "parquet":
        if output is None:
            raise BadOption("--format parquet needs --output, the file to write")
        tables.arrow()  # better known before than after the work
    return Target(
        path=output,
        format=chosen,
        fail_under=fail_under,
        quiet=quiet,
        is_whole=is_whole,
        has_flaws=has_flaws,
        by=by,
    )


def sources(paths: Iterable[str]) -> Iterator[Path]:
    """The paths given; see `names`."""
    return map(Path, names(paths))


def names(paths: Iterable[str]) -> Iterator[str]:
    """The paths and URLs given; `-` stands for a list on standard input, read as it comes."""
    for path in paths:
        if path == "-":
            try:
                for name in _split(sys.stdin.buffer):
                    yield os.fsdecode(name)
            except OSError as error:
                raise NoImagesFound(f"standard input cannot be read ({why(error)})") from error
        else:
            yield path


def _split(stream: IO[bytes]) -> Iterator[bytes]:
    """Names that end in NUL if the first block holds one, which no line does; else lines."""
    rest = block = stream.read1(65536)  # type: ignore[attr-defined]
    separator = b"\0" if b"\0" in block else b"\n"
    ending = b"" if separator == b"\0" else b"\r"
    while block:
        *names, rest = rest.split(separator)
        yield from (name.rstrip(ending) for name in names if name.rstrip(ending))
        block = stream.read1(65536)  # type: ignore[attr-defined]
        rest += block
    if rest.rstrip(ending):
        yield rest.rstrip(ending)


def deliver(
    rows: Iterable[Row],
    to: Target,
    *,
    label: str,
    total: int | None,
    about: Callable[[], Mapping[str, Any]],
    left_out: Counter[str],
    complete: Callable[[list[Row]], list[Row]] = lambda rows: rows,
    then: Sequence[Callable[[list[Row]], int]] = (),
) -> int:
    """Collect rows, write the report, sum up, and go on with what is to be done with it.

    An interruption keeps what was scored: it is reported, and nothing else is done.

    Args:
        rows: unranked.
        to: where and how.
        label: what the progress bar says.
        total: how many rows will come, where known.
        about: facts for the head of a JSON report.
        left_out: paths left out on purpose, by reason.
        complete: fills the columns that need all rows.
        then: what is done with the ranked rows once the report is out; each gives an exit status.

    Returns:
        The exit status.

    Raises:
        NoImagesFound: there was not one row.
        KeyboardInterrupt: before there was one.
        CannotWrite: the report went to standard output instead; or what came after it failed.
    """
    collected, is_interrupted = _collect(rows, to, label, total)
    if not collected:
        raise NoImagesFound(nothing(left_out))
    if not is_interrupted:
        try:
            collected = complete(collected)
        except KeyboardInterrupt:  # what was scored is worth more than the columns
            is_interrupted = True
    ranked = rank(collected)
    if not to.is_streaming:
        write(ranked, to, about())
    elif to.path is not None:  # in the order in which the photos came
        write(collected, to, {})
    if not to.quiet:
        _sum_up(collected, to, left_out)
    if is_interrupted:
        console.say(f"interrupted: the report holds {plural(len(collected), 'photo')} done so far")
        return INTERRUPTED
    return _go_on(ranked, then, _status(collected, to))


def _go_on(ranked: list[Row], then: Sequence[Callable[[list[Row]], int]], status: int) -> int:
    for act in then:
        try:
            done = act(ranked)
        except KeyboardInterrupt:
            console.say("interrupted: the report is complete, and what comes after it is not")
            return INTERRUPTED
        status = status if status != DONE else done
    return status


def _collect(
    rows: Iterable[Row], to: Target, label: str, total: int | None
) -> tuple[list[Row], bool]:
    """The rows that came, streamed where that is wanted, and whether they were interrupted."""
    collected: list[Row] = []
    with console.progress(label, total, quiet=to.quiet) as advance:
        try:
            for row in rows:
                collected.append(row)
                if to.is_streaming and to.path is None:
                    _print(to_json_line(row))
                advance()
        except (KeyboardInterrupt, MemoryError, RuntimeError, ImportError, OSError) as error:
            is_ours = isinstance(error, KeyboardInterrupt) or lacks_memory(error)
            if not (is_ours and collected):  # an older report is worth more than an empty one
                raise
            if not isinstance(error, KeyboardInterrupt):
                console.say("error: memory ran out: close other programs, or give --workers 1")
            return collected, True
    return collected, False


def write(rows: list[Row], to: Target, about: Mapping[str, Any]) -> None:
    """Write rows where they are to go.

    Raises:
        CannotWrite: the report went to standard output instead.
    """
    if to.format == "table":
        from contrique_cli.cli import display

        display.show_table(rows, to.by)
        return
    data = to_bytes(rows, to.format, about, has_flaws=to.has_flaws)
    if to.path is not None:
        try:
            with writing.replacing(to.path) as file:
                file.write(data)
        except CannotWrite as error:
            _print(to_csv(rows) if to.format == "parquet" else data)
            raise CannotWrite(f"{error}. The report went to standard output instead") from error
        return
    _print(data)


def _print(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _sum_up(rows: list[Row], to: Target, left_out: Counter[str]) -> None:
    failed = [row for row in rows if row.error is not None]
    scored = len(rows) - len(failed)
    where = "" if to.path is None else f", report in {to.path}"
    console.say(f"{scored:,} of {plural(len(rows), 'photo')} scored{where}")
    console.name_some(
        (f"not scored: {row.path}: {row.error}" for row in failed),
        len(failed),
        rest="; the report has every reason",
    )
    noted = [row for row in rows if row.note is not None]
    console.name_some(
        (f"note: {row.path}: {row.note}" for row in noted), len(noted), rest=" in the report"
    )
    if left_out:
        console.say(f"  left out: {listed(left_out)}")


def listed(left_out: Counter[str]) -> str:
    """What was left out in words, most first."""
    return ", ".join(f"{count:,} {reason}" for reason, count in left_out.most_common())


def nothing(left_out: Counter[str]) -> str:
    """No photo was found, in words, and what was left out instead."""
    seen = f" (left out: {listed(left_out)})" if left_out else ""
    return (
        f"no photo found{seen}; give photos, or folders that hold JPEG, PNG, WebP, TIFF ... files"
    )


def _status(rows: list[Row], to: Target) -> int:
    scores = [printed(row.score) for row in rows if row.score is not None]
    if not scores:
        console.say("error: not one photo could be scored; the report says why for each")
        return NOTHING
    if to.fail_under is not None:
        below = sum(score < to.fail_under for score in scores)
        if below:
            console.say(f"{plural(below, 'photo')} below {to.fail_under:g} (--fail-under)")
            return BELOW
    return DONE if len(scores) == len(rows) else SOME_FAILED
