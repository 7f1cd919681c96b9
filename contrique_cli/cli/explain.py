"""The command that shows where a photo is bad: explain."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contrique_cli import config
from contrique_cli.cli import completion, streams
from contrique_cli.cli.options import Device, MaxMegapixels, Model, Regressor
from contrique_cli.errors import BadOption
from contrique_cli.files import writing

if TYPE_CHECKING:
    from contrique_cli.scoring.explain import Explanation

FORMATS = ("text", "json")

_ALIKE = 2.0
"""Score points between the best and the worst ninth below which a photo is alike everywhere."""


def explain(
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", help="One photo.", show_default=False)],
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE.png", help="Write the map to FILE.png."),
    ] = None,
    overlay: Annotated[
        bool,
        typer.Option("--overlay/--plain", metavar="", help="Colours over the photo, or alone."),
    ] = True,
    method: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="windows: each part judged by itself; shares: what each adds to the score.",
            autocompletion=completion.one_of(config.METHODS),
        ),
    ] = config.WINDOWS,
    file_format: Annotated[
        str,
        typer.Option(
            "--format",
            "-f",
            metavar="NAME",
            help="text, or json with the map as numbers.",
            autocompletion=completion.one_of(FORMATS),
        ),
    ] = "text",
    model: Model = None,
    regressor: Regressor = None,
    device: Device = None,
    max_megapixels: MaxMegapixels = config.MAX_MEGAPIXELS,
) -> None:
    """Show where in a photo quality is lost, in words and as a heat map.

    Example: contrique explain photos/a.jpg --output map.png

    Exit status: 0 explained, 1 nothing could be done, 2 wrong usage.
    """
    from contrique_cli.cli import display

    _check(output, method, file_format)

    from contrique_cli.encoder.work import Work
    from contrique_cli.scoring import explain as verb
    from contrique_cli.scoring import heatmap
    from contrique_cli.scoring.pipeline import describe, load_pipeline

    pipeline = load_pipeline(model, regressor)
    work = pipeline.sized(Work(device=device, max_megapixels=max_megapixels))
    found = verb.explain(photo, pipeline, work, method=method)
    if output is not None:
        picture = heatmap.draw(found.photo.image, found.points, is_overlay=overlay)
        heatmap.save(output, picture, f"quality of {streams.printable(photo.name)}, {method}")
    if file_format == "json":
        facts = {**describe(pipeline), **found.to_facts()}
        sys.stdout.write(json.dumps(facts, allow_nan=False) + "\n")
    else:
        display.show_facts(_words(found) | ({"map": output} if output else {}))


def _check(output: Path | None, method: str, file_format: str) -> None:
    """Complain before the work rather than after it."""
    if method not in config.METHODS:
        raise BadOption(f"--method {method}: choose one of {', '.join(config.METHODS)}")
    if file_format not in FORMATS:
        raise BadOption(f"--format {file_format}: choose one of {', '.join(FORMATS)}")
    if output is None:
        return
    if output.suffix.lower() != ".png":
        raise BadOption(f"--output {output}: end it in .png (for numbers: --format json)")
    writing.check_writable(output)


def _words(found: Explanation) -> dict[str, str | Path]:
    row, worst, best = found.row, found.worst, found.best
    words: dict[str, str | Path] = {"photo": row.path, "score": f"{row.score:.1f}"}
    if row.flaw is not None:
        words["flaw"] = f"{row.flaw} ({row.flaw_probability or 0.0:.2f})"
    if best.points - worst.points < _ALIKE:
        return words | {"worst": "nowhere: the photo is alike everywhere"}
    return words | {
        "worst": f"{worst.name} ({worst.points:+.0f} points from the photo's mean)",
        "best": f"{best.name} ({best.points:+.0f})",
    }
