"""What `score` does with shards and a folder for their results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from contrique_cli.cli import console, deliver
from contrique_cli.cli.deliver import DONE, INTERRUPTED, NOTHING, SOME_FAILED
from contrique_cli.config import SHARD_FORMATS, Failures
from contrique_cli.errors import BadOption
from contrique_cli.words import plural

if TYPE_CHECKING:
    from contrique_cli.encoder.work import Work
    from contrique_cli.errors import ShardError
    from contrique_cli.scoring.pipeline import Pipeline
    from contrique_cli.shards.listing import Shard, Turn
    from contrique_cli.shards.results import Folder
    from contrique_cli.shards.score import Scored

TOO_MANY = 5
"""Exit status where more photos failed than --max-failures allows."""


def folder_for(paths: Iterable[str], output: str | None) -> str | None:
    """The folder of results where shards are to be scored: it is one, or a source is a shard.

    Returns:
        None where a report of photos is wanted.

    Raises:
        BadOption: shards without a folder for their results.
    """
    from contrique_cli.shards import listing, places

    is_folder = output is not None and (
        output.endswith("/") or places.is_store(output) or Path(output).is_dir()
    )
    found = [path for path in paths if listing.kind_of(path) or places.is_store(path)]
    if found and (
        output in (None, deliver.STDOUT)
        or (not is_folder and Path(str(output)).suffix.lower() in deliver.SUFFIXES)
    ):
        raise BadOption(
            f"{places.shown(found[0])} is a shard: give a folder for the results, as in "
            "--output scores/"
        )
    return output if is_folder or found else None


def advice(left_out: Iterable[str]) -> str:
    """What to do where shards were left out of a search for photos; nothing without any.

    Args:
        left_out: suffixes of what was left out.
    """
    if not {".tar", ".gz", ".tgz", ".parquet"}.intersection(left_out):
        return ""
    return "; shards have a result each in a folder: give --output scores/"


@dataclass(kw_only=True)
class Tally:
    """What happened to photos and shards.

    Attributes:
        shards: how many were to be scored.
        scored, failed: photos.
        named: the first failures.
        unreached: why shards have no result.
        left_out: what is no picture, by reason.
    """

    shards: int = 0
    scored: int = 0
    failed: int = 0
    named: list[Scored] = field(default_factory=list)
    unreached: list[ShardError] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    def add(self, one: Scored) -> None:
        """Count a photo."""
        if one.row.error is None:
            self.scored += 1
            return
        self.failed += 1
        if len(self.named) < console.NAMED:
            self.named.append(one)

    def say(self, place: str) -> None:
        """Sum up on standard error."""
        photos = self.scored + self.failed
        done = self.shards - len(self.unreached)
        console.say(
            f"{self.scored:,} of {plural(photos, 'photo')} scored, "
            f"results of {plural(done, 'shard')} in {place}"
        )
        console.name_some(map(_failure, self.named), self.failed, rest="; the results have them")
        console.name_some(
            (f"no result: {problem}" for problem in self.unreached),
            len(self.unreached),
            rest=" without a result",
        )
        if self.unreached:
            console.say("  the same command tries again what has no result")
        if self.left_out:
            console.say(f"  left out: {deliver.listed(self.left_out)}")

    def status(self, allowed: Failures | None) -> int:
        """The exit status."""
        if self.failed and not self.scored:
            console.say("error: not one photo could be scored; the results say why for each")
            return NOTHING
        if self.unreached:
            return SOME_FAILED if self.scored else NOTHING
        if allowed is None:
            return SOME_FAILED if self.failed else DONE
        if self.failed > allowed.limit(self.scored + self.failed):
            console.say(
                f"{plural(self.failed, 'photo')} failed, more than --max-failures {allowed.text} "
                "allows"
            )
            return TOO_MANY
        return DONE


def _failure(one: Scored) -> str:
    where = one.shard if one.member is None else f"{one.shard}: {one.member}"
    return f"not scored: {where}: {one.row.error}"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked of a run over shards.

    Attributes:
        sources: paths and URLs of shards and folders.
        output: folder or URL of the results.
        format: one of `config.SHARD_FORMATS`; None takes the first.
        turn: such as "3/16"; None takes all shards.
        image_column, keep_columns: see `parquets.Columns`; names to keep are separated by commas.
        max_failures: such as "5%"; None leaves every failure to the exit status.
        is_on_ray: whether a Ray cluster does the work.
        quiet: no progress and no summary.
        model, regressor, work: as for photos.
    """

    sources: Sequence[str]
    output: str
    work: Work
    model: str | None = None
    regressor: str | None = None
    format: str | None = None
    turn: str | None = None
    image_column: str | None = None
    keep_columns: str | None = None
    max_failures: str | None = None
    is_on_ray: bool = False
    quiet: bool = False


def score(request: Request) -> int:
    """Score the shards that have no result yet.

    Returns:
        The exit status.
    """
    chosen = request.format or SHARD_FORMATS[0]
    if chosen not in SHARD_FORMATS:
        raise BadOption(f"--format {chosen}: results of shards are {', '.join(SHARD_FORMATS)}")
    allowed = None if request.max_failures is None else Failures(request.max_failures)

    from contrique_cli.files import tables
    from contrique_cli.scoring.pipeline import load_pipeline
    from contrique_cli.shards import facts, listing, places, results
    from contrique_cli.shards.parquets import Columns

    if any(places.is_same(source, request.output) for source in request.sources):
        output = places.shown(request.output)
        raise BadOption(
            f"--output {output} is searched for shards: give another folder, such as "
            f"{output.rstrip('/')}/scores/"
        )
    if chosen == "parquet":
        tables.arrow()
    turn = listing.Turn() if request.turn is None else listing.Turn.parse(request.turn)
    keep = [] if request.keep_columns is None else request.keep_columns.split(",")
    columns = Columns(image=request.image_column, keep=tuple(name.strip() for name in keep))
    pipeline = load_pipeline(request.model, request.regressor)
    folder = results.Folder(
        place=request.output,
        format=chosen,
        about=facts.of(pipeline),
        flaws=pipeline.flaws,
        keep=columns.keep,
    )
    tally = Tally()
    waiting = _waiting(request, turn, folder, tally.left_out)
    tally.shards = len(waiting)
    stream = _scoring(request, folder, pipeline)(
        waiting,
        folder,
        columns=columns,
        left_out=tally.left_out,
        unreached=tally.unreached,
    )
    try:
        with console.progress("scoring", None, quiet=request.quiet) as advance:
            for one in stream:
                tally.add(one)
                advance()
    except KeyboardInterrupt:
        console.say("interrupted: finished shards have their results; the same command goes on")
        return INTERRUPTED
    if not request.quiet and waiting:
        tally.say(places.shown(request.output))
    return tally.status(allowed)


def _waiting(request: Request, turn: Turn, folder: Folder, left_out: Counter[str]) -> list[Shard]:
    """The shards of this run that have no result yet, in a folder that is ready for theirs."""
    from contrique_cli.shards import listing

    found = listing.find(request.sources, left_out)
    finished = folder.finished()
    shards = turn.take(listing.divide(found, finished))
    folder.claim(finished)
    waiting = [shard for shard in shards if shard.name not in finished]
    if not request.quiet and not shards and turn.of > 1:
        console.say(f"no shard is left for part {request.turn}: there are fewer shards than parts")
    if not request.quiet and len(waiting) < len(shards):
        done = len(shards) - len(waiting)
        console.say(f"{done:,} of {plural(len(shards), 'shard')} done before")
    return waiting


def _scoring(
    request: Request, folder: Folder, pipeline: Pipeline
) -> Callable[..., Iterator[Scored]]:
    """What scores shards: a Ray cluster, which loads the model anew, or this process."""
    if request.is_on_ray:
        from contrique_cli.shards import actors, cluster

        on_actors = actors.Judging(
            model=request.model,
            regressor=request.regressor,
            work=request.work,
            about=folder.about,
        )
        return partial(cluster.score, judging=on_actors)
    from contrique_cli.scoring import score as judging
    from contrique_cli.shards import score as verb

    judge = partial(judging.score, pipeline=pipeline, work=pipeline.sized(request.work))
    return partial(verb.score, judge=judge)
