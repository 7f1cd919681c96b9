"""From a stream of rows to the report asked for, a summary and an exit status."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from contrique_cli import config
from contrique_cli.cli import console
from contrique_cli.config import Selection
from contrique_cli.errors import BadOption, CannotWrite, NoImagesFound
from contrique_cli.files import writing
from contrique_cli.files.reading import why
from contrique_cli.reports.rows import Row, is_within, printed, rank, to_bytes, to_json_line

DONE, NOTHING, SOME_FAILED, BELOW, INTERRUPTED = 0, 1, 3, 4, 130
"""Exit statuses; 2, wrong usage, is the option parser's."""

_SUFFIXES = {".csv": "csv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_NAMED = 5  # failures spelled out in the summary; the report has them all


class Step(Protocol):
    """Something else to do with the rows of a report."""

    def __call__(self, rows: list[Row]) -> list[Row]:
        """Do it, and give the rows back, perhaps with more in their columns."""

    def status(self, status: int) -> int:
        """The exit status in the light of how it went, from that of the report."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a report goes and as what.

    Attributes:
        path: a file; None is standard output.
        format: one of `config.FORMATS`.
        selection: which rows.
        fail_under: score below which the exit status tells; None for never.
        quiet: no progress and no summary.
        is_whole: a column is known only once all rows are, so none may go early.
    """

    path: Path | None
    format: str
    selection: Selection
    fail_under: float | None
    quiet: bool
    is_whole: bool = False

    @property
    def is_streaming(self) -> bool:
        """Whether each row goes out as soon as it is there, which a ranking does not allow."""
        is_ranked = self.selection.top is not None or self.selection.reverse
        return self.format == "jsonl" and not is_ranked and not self.is_whole


def target(
    output: Path | None,
    file_format: str | None,
    *,
    selection: Selection,
    fail_under: float | None,
    quiet: bool,
    is_whole: bool = False,
) -> Target:
    """Settle the format: as told, else by suffix, else a table for a person and CSV for a pipe.

    Raises:
        BadOption: an unknown format or suffix, or a table into a file.
        CannotWrite: the file could not be written; better known before than after the work.
    """
    if file_format is not None and file_format not in config.FORMATS:
        raise BadOption(f"--format {file_format}: choose one of {', '.join(config.FORMATS)}")
    if output is None:
        chosen = file_format or ("table" if sys.stdout.isatty() else "csv")
    else:
        chosen = file_format or _SUFFIXES.get(output.suffix.lower(), "")
        if chosen in ("", "table"):
            raise BadOption(
                f"--output {output}: end it in .csv, .json or .jsonl, or give --format "
                "csv, json or jsonl"
            )
        writing.check_writable(output)
    return Target(
        path=output,
        format=chosen,
        selection=selection,
        fail_under=fail_under,
        quiet=quiet,
        is_whole=is_whole,
    )


def sources(paths: Iterable[str], *, is_nul_separated: bool) -> Iterator[Path]:
    """The paths given; `-` stands for a list on standard input, read as it comes."""
    for path in paths:
        if path == "-":
            try:
                for name in _split(sys.stdin.buffer, b"\0" if is_nul_separated else b"\n"):
                    yield Path(os.fsdecode(name))
            except OSError as error:
                raise NoImagesFound(f"standard input cannot be read ({why(error)})") from error
        else:
            yield Path(path)


def _split(stream: IO[bytes], separator: bytes) -> Iterator[bytes]:
    if separator == b"\n":
        names: Iterable[bytes] = (line.rstrip(b"\r\n") for line in stream)
    else:
        names = _split_at_nul(stream)
    return (name for name in names if name)


def _split_at_nul(stream: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while block := stream.read1(65536):  # type: ignore[attr-defined]
        *names, rest = (rest + block).split(b"\0")
        yield from names
    yield rest


def deliver(
    rows: Iterable[Row],
    to: Target,
    *,
    label: str,
    total: int | None,
    about: Callable[[], Mapping[str, Any]],
    left_out: Counter[str],
    steps: Sequence[Step] = (),
) -> int:
    """Collect rows, write the report, sum up.

    Args:
        rows: unranked; an interruption while they come keeps those that came.
        to: where and how.
        label: what the progress bar says.
        total: how many rows will come, where known.
        about: facts for the head of a JSON report.
        left_out: paths left out on purpose, by reason.
        steps: what else is to be done with all rows before they are ranked and written, in turn.
            What went out in a stream already does not change.

    Returns:
        The exit status.

    Raises:
        NoImagesFound: there was not one row.
        KeyboardInterrupt: before there was one.
        CannotWrite: the report went to standard output instead.
    """
    collected, is_interrupted = _collect(rows, to, label, total)
    if not collected:
        raise NoImagesFound(_nothing(left_out))
    try:
        for step in steps:
            collected = step(collected)
    except KeyboardInterrupt:  # what was scored is worth more than the step
        is_interrupted = True
    if to.is_streaming and to.path is not None:
        _write([row for row in collected if is_within(row, to.selection)], to, {}, len(collected))
    elif not to.is_streaming:
        _write(rank(collected, to.selection), to, about(), len(collected))
    if not to.quiet:
        _sum_up(collected, to, left_out)
    if is_interrupted:
        console.say(f"interrupted: the report holds the {len(collected)} photos done so far")
    status = INTERRUPTED if is_interrupted else _status(collected, to)
    for step in steps:
        status = step.status(status)
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
                if to.is_streaming and to.path is None and is_within(row, to.selection):
                    _print(to_json_line(row))
                advance()
        except KeyboardInterrupt:
            if not collected:  # an older report is worth more than an empty one
                raise
            return collected, True
    return collected, False


def _write(rows: list[Row], to: Target, about: Mapping[str, Any], total: int) -> None:
    if to.format == "table":
        hidden = total - len(rows)
        console.show_table(rows, title=f"{len(rows)} of {total} photos" if hidden else "")
        return
    data = to_bytes(rows, to.format, about)
    if to.path is not None:
        try:
            with writing.replacing(to.path) as file:
                file.write(data)
        except CannotWrite as error:
            _print(data)
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
    console.say(f"{scored:,} of {len(rows):,} photos scored{where}")
    for row in failed[:_NAMED]:
        console.say(f"  not scored: {row.path}: {row.error}")
    if len(failed) > _NAMED:
        console.say(f"  ... and {len(failed) - _NAMED:,} more; the report has every reason")
    noted = [row for row in rows if row.note is not None]
    for row in noted[:_NAMED]:
        console.say(f"  note: {row.path}: {row.note}")
    if len(noted) > _NAMED:
        console.say(f"  ... and {len(noted) - _NAMED:,} more notes in the report")
    if left_out:
        console.say(f"  left out: {_listing(left_out)}")


def _listing(left_out: Counter[str]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in left_out.most_common())


def _nothing(left_out: Counter[str]) -> str:
    seen = f" (left out: {_listing(left_out)})" if left_out else ""
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
            console.say(f"{below:,} photos score below {to.fail_under:g} (--fail-under)")
            return BELOW
    return DONE if len(scores) == len(rows) else SOME_FAILED
