"""Options that commands take, each written once, by the panel of the help that shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from contrique_cli import config
from contrique_cli.cli import completion

REPORT, CHOICE, MODEL, MACHINE = "Report", "Which photos", "Model", "Machine"
SHARDS = "Shards"
"""Panels of the help."""

Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH",
        help="Photos and folders; - reads a list from standard input, one a line or NUL-separated.",
        show_default=False,
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", metavar="", help="No progress bar and no summary.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", metavar="", help="Show what would be done, and do nothing.")
]

# ------------------------------------------------------------------------------ report

Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Write the report to FILE: .csv, .json, .jsonl or .parquet.",
        rich_help_panel=REPORT,
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        "-f",
        metavar="NAME",
        help="table, csv, json, jsonl (a line as soon as a photo is done) or parquet.",
        autocompletion=completion.FORMATS,
        rich_help_panel=REPORT,
        show_default="by suffix; else a table in a terminal, csv in a pipe",
    ),
]
ReportOrResults = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Write the report to FILE: .csv, .json, .jsonl, .parquet; of shards to FOLDER/.",
        rich_help_panel=REPORT,
    ),
]
FailUnder = Annotated[
    float | None,
    typer.Option(
        metavar="SCORE",
        help="Exit with status 4 if a photo scores below this.",
        rich_help_panel=REPORT,
    ),
]
Pairs = Annotated[
    bool,
    typer.Option(
        "--pairs/--no-pairs",
        hidden=True,  # on purpose: the count of what was left out names it
        help="In folders, take a RAW file and its JPEG for one photo, and score the JPEG.",
    ),
]
Bursts = Annotated[
    float | None,
    typer.Option(
        "--bursts",
        metavar="SECONDS",
        min=0,
        help="Group near-duplicates at most so far apart, such as 3, and mark the best of each.",
        rich_help_panel=REPORT,
    ),
]
Flaws = Annotated[
    bool,
    typer.Option(
        "--flaws",
        metavar="",
        help="A column for the probability of every flaw in CSV, too: flaw_blur ...",
        rich_help_panel=REPORT,
    ),
]
Gallery = Annotated[
    Path | None,
    typer.Option(
        "--gallery",
        metavar="FILE.html",
        help="Then write a page to look at and pick from; see `contrique gallery`.",
        rich_help_panel=REPORT,
    ),
]
Xmp = Annotated[
    bool,
    typer.Option(
        "--xmp",
        metavar="",
        help="Then write stars into XMP sidecars; see `contrique rate`.",
        rich_help_panel=REPORT,
    ),
]
From = Annotated[
    str,
    typer.Option(
        "--from",
        metavar="REPORT",
        help="A report of `contrique score`, of any format; - reads standard input.",
        show_default=False,
    ),
]
Base = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder that the report's relative paths start from.",
        show_default="the current one",
    ),
]

# ------------------------------------------------------------------------------ shards

Shard = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="I/N",
        help="Take every Nth shard from the Ith on, as 3/16: one part of N machines.",
        rich_help_panel=SHARDS,
    ),
]
KeepColumns = Annotated[
    str | None,
    typer.Option(
        metavar="NAMES",
        help="Columns of Parquet to carry along, as url,caption; * for all.",
        rich_help_panel=SHARDS,
    ),
]
ImageColumn = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        hidden=True,  # on purpose: the message about a file without pictures says when it is needed
        help="Column of Parquet that holds pictures.",
    ),
]
MaxFailures = Annotated[
    str | None,
    typer.Option(
        metavar="N",
        help="Exit with status 5 if more than N photos, or N%, failed; else with 0.",
        rich_help_panel=SHARDS,
    ),
]

Ray = Annotated[
    bool,
    typer.Option(
        "--ray",
        metavar="",
        help="Score on the Ray cluster at RAY_ADDRESS, or on one started for this run.",
        rich_help_panel=SHARDS,
    ),
]

# ------------------------------------------------------------------------------ model

Model = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Encoder: a name from `contrique models`, or a file.",
        autocompletion=completion.models,
        rich_help_panel=MODEL,
        show_default="the regressor's",
    ),
]
Encoder = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="Encoder: a name from `contrique models`, or a file.",
        autocompletion=completion.models,
        rich_help_panel=MODEL,
        show_default="the one called default",
    ),
]
Regressor = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help=f"Regressor: default, fast (judged at {config.FAST_SIDE} pixels), one of yours, or a "
        "file.",
        autocompletion=completion.regressors,
        rich_help_panel=MODEL,
        show_default="the encoder's",
    ),
]
Pairwise = Annotated[
    str | None,
    typer.Option(
        "--regressor",
        metavar="NAME",
        help="Full-reference regressor: a name from `contrique models`, or a file.",
        autocompletion=completion.regressors,
        rich_help_panel=MODEL,
        show_default="the encoder's",
    ),
]
MaxSide = Annotated[
    int,
    typer.Option(
        metavar="PIXELS",
        min=0,
        help="Working size: long side in pixels, 0 for full resolution.",
        rich_help_panel=MODEL,
    ),
]

# ------------------------------------------------------------------------------ machine

Device = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="cpu, cuda, cuda:1 or mps.",
        autocompletion=completion.DEVICE,
        rich_help_panel=MACHINE,
        show_default="the fastest there is",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="Threads.",
        rich_help_panel=MACHINE,
        show_default="by cores and memory",
    ),
]
Precision = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="auto (bf16 where the processor has it), fp32 (the same everywhere), bf16 or fp16.",
        autocompletion=completion.PRECISION,
        rich_help_panel=MACHINE,
    ),
]
MaxMegapixels = Annotated[
    float,
    typer.Option(
        metavar="N",
        min=0,
        hidden=True,  # on purpose: the reason of a photo that is refused names it
        help="Refuse larger photos, by their header.",
    ),
]
MaxSeconds = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        min=0.1,
        hidden=True,  # on purpose: the reason of a photo that took too long names it
        help="Give up on a photo that takes longer to decode.",
    ),
]
NoCache = Annotated[
    bool,
    typer.Option(
        "--no-cache",
        metavar="",
        help="Compute every photo; neither use nor fill the cache.",
        rich_help_panel=MACHINE,
    ),
]

# ------------------------------------------------------------------------------ photos of a report

Top = Annotated[
    str | None,
    typer.Option(metavar="N", help="The best N, or N% of all scored ones.", rich_help_panel=CHOICE),
]
MinScore = Annotated[
    float | None,
    typer.Option(metavar="SCORE", help="With at least this score.", rich_help_panel=CHOICE),
]
MaxScore = Annotated[
    float | None,
    typer.Option(metavar="SCORE", help="With at most this score.", rich_help_panel=CHOICE),
]
PerFolder = Annotated[
    int | None, typer.Option(metavar="N", help="At most N of each folder.", rich_help_panel=CHOICE)
]
Flaw = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FLAW",
        help="With this dominant flaw, such as none; may be repeated.",
        rich_help_panel=CHOICE,
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CONDITION",
        help="With such a value, as 'flaw_noise>0.5', 'rating>=3' or burst_kind=bracket; "
        "may be repeated.",
        rich_help_panel=CHOICE,
    ),
]
By = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="The best by this column instead of the score: by flaw_blur those with the least.",
        rich_help_panel=CHOICE,
    ),
]
BurstBestOnly = Annotated[
    bool,
    typer.Option(
        "--burst-best-only",
        metavar="",
        help="The best of each burst, and photos outside of any; see `score --bursts`.",
        rich_help_panel=CHOICE,
    ),
]
Reverse = Annotated[
    bool,
    typer.Option(
        "--reverse", "-r", metavar="", help="The worst instead of the best.", rich_help_panel=CHOICE
    ),
]

# ------------------------------------------------------------------------------ acts on a report

GallerySize = Annotated[
    int | None,
    typer.Option(
        "--size",
        metavar="PIXELS",
        min=config.MIN_THUMBNAIL,
        max=config.MAX_THUMBNAIL,
        help="Long side of the thumbnails.",
        show_default="480, fewer in large pages",
    ),
]
Names = Annotated[
    str,
    typer.Option(
        "--names",
        metavar="KIND",
        help="Sidecars are called: full (a.jpg.xmp: darktable, digiKam), stem (a.xmp: Adobe).",
        autocompletion=completion.one_of(config.XMP_NAMES),
    ),
]
Thresholds = Annotated[
    str,
    typer.Option(
        metavar="SCORES",
        help="Scores from which 1 to 5 stars are given. A score is a percentile: by default the "
        "worst fifth gets 0, the best fifth 4, the best twentieth 5.",
    ),
]
Interval = Annotated[
    float,
    typer.Option(metavar="SECONDS", min=0.1, max=86400, help="Between two looks at the folders."),
]
