"""Options that more than one command takes, each written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from contrique_cli.cli import completion

Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH...", help="Photos and folders; - reads a list from standard input."
    ),
]
Nul = Annotated[
    bool, typer.Option("-0", "--null", help="The list on standard input is NUL-separated.")
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", help="Write the report to FILE (.csv, .json, .jsonl, .parquet)."
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        "-f",
        help="table, csv, json, jsonl (streams) or parquet.",
        autocompletion=completion.FORMATS,
    ),
]
Top = Annotated[int | None, typer.Option(help="Report the best N photos only.")]
MinScore = Annotated[float | None, typer.Option(help="Report photos with at least this score.")]
MaxScore = Annotated[float | None, typer.Option(help="Report photos with at most this score.")]
Reverse = Annotated[bool, typer.Option("--reverse", "-r", help="Report the worst first.")]
FailUnder = Annotated[
    float | None, typer.Option(help="Exit with status 4 if a photo scores below this.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no summary.")]
Model = Annotated[
    str | None,
    typer.Option(
        help="Encoder: a name from `contrique models`, or a file.",
        autocompletion=completion.models,
    ),
]
Regressor = Annotated[
    str | None,
    typer.Option(
        help="Regressor: a name from `contrique models`, or a file.",
        autocompletion=completion.regressors,
    ),
]
MaxSide = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Working size: long side in pixels, 0 for full resolution "
        "[default: what the regressor was fitted at].",
    ),
]
MaxMegapixels = Annotated[float, typer.Option(min=0, help="Refuse larger photos, by their header.")]
Device = Annotated[
    str | None,
    typer.Option(
        help="cpu, cuda, cuda:1 or mps [default: the fastest there is].",
        autocompletion=completion.DEVICE,
    ),
]
BatchSize = Annotated[
    int | None, typer.Option(min=1, help="Photos of one shape per step [default: by memory].")
]
Workers = Annotated[int | None, typer.Option(min=1, help="Threads [default: by cores and memory].")]
Precision = Annotated[
    str,
    typer.Option(help="Of the encoder: auto (what the processor is quick at), fp32, bf16, fp16."),
]
Mos = Annotated[
    Path,
    typer.Option(
        "--mos", help="Table (CSV, JSON, Parquet, Excel) of photos and opinions, one a row."
    ),
]
Photos = Annotated[
    Path | None, typer.Option(help="Folder of relative paths [default: the table's].")
]
PathColumn = Annotated[str | None, typer.Option(help="Column of the photo [default: by name].")]
MosColumn = Annotated[str | None, typer.Option(help="Column of the opinion [default: by name].")]
Group = Annotated[
    str | None,
    typer.Option("--group", help="Column: photos of one group stay on one side of a split."),
]
Reference = Annotated[
    str | None,
    typer.Option("--reference-column", help="Column of the undistorted photo, for `compare`."),
]
LowerIsBetter = Annotated[
    bool, typer.Option("--lower-is-better", help="The opinions are DMOS: lower is better.")
]
