"""The commands about installed models: models, models show, models import."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contrique_cli.cli import console
from contrique_cli.errors import UnknownModel
from contrique_cli.models import installed

if TYPE_CHECKING:
    from contrique_cli.models.catalogue import ModelRow

_MARKS = "marks"  # of the photos a regressor was fitted on: for `evaluate`, not for people
_KINDS = {
    installed.ENCODER: "encoder",
    installed.REGRESSOR: "regressor",
    installed.FLAW: "flaw probe",
}

app = typer.Typer(add_completion=False)


@app.callback(invoke_without_command=True)
def models(context: typer.Context) -> None:
    """List the installed encoders, regressors and flaw probes.

    Example: contrique models
    """
    from contrique_cli.cli import display

    if context.invoked_subcommand is not None:
        return
    from contrique_cli.models import catalogue

    display.show_models(
        [
            (_KINDS[row.kind], row.name, "bundled" if row.is_bundled else "you", _summary(row))
            for row in catalogue.list_installed()
        ]
    )
    console.say("`contrique models show NAME` says all there is to say of one")


@app.command()
def show(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="As `contrique models` lists it.", show_default=False),
    ],
) -> None:
    """Say what a model is, how good, on what, under what licence, and where it lies.

    Example: contrique models show default
    """
    from contrique_cli.cli import display
    from contrique_cli.models import catalogue

    rows = catalogue.list_installed()
    found = [row for row in rows if row.name == name]
    if not found:
        names = ", ".join(dict.fromkeys(row.name for row in rows))
        raise UnknownModel(f"no model is called {name!r}; there is: {names}")
    for row in found:
        display.show_facts(_facts(row), title=f"{_KINDS[row.kind]} {row.name}")


@app.command("import")
def import_model(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Official .tar or .save, or a file of contrique's."),
    ],
    *,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What to call it.", show_default="from the file's name"),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Encoder that a regressor belongs to.", show_default="official"
        ),
    ] = None,
    lower_is_better: Annotated[
        bool | None,
        typer.Option("--lower-is-better/--higher-is-better", help="Whether it predicts a DMOS."),
    ] = None,
    full_reference: Annotated[
        bool | None,
        typer.Option("--full-reference/--no-reference", help="Whether it is for `compare`."),
    ] = None,
    scale: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="LOW HIGH", help="Lowest and highest opinion."),
    ] = None,
) -> None:
    """Convert an official file, read as data and never executed, or take in one of contrique's.

    Example: contrique models import CONTRIQUE_checkpoint25.tar
    """
    from contrique_cli.models import importing

    done = importing.import_file(
        file,
        name=name,
        model=model,
        lower_is_better=lower_is_better,
        full_reference=full_reference,
        scale=scale,
    )
    uses = {
        installed.ENCODER: f"encoder {done.name}: use it with --model {done.name}",
        installed.REGRESSOR: f"regressor {done.name}: use it with --regressor {done.name}",
        installed.FLAW: f"flaw probe {done.name}: it is used with its encoder",
    }
    console.say(f"imported as the {uses[done.kind]}")


def _summary(row: ModelRow) -> str:
    if row.problem is not None:
        return f"cannot be used: {row.problem}"
    srocc = row.figures.get("srocc")
    parts = [
        row.arch,
        None if row.kind == installed.ENCODER else f"of encoder {row.encoder or 'not installed'}",
        None
        if row.max_side is None
        else f"at {row.max_side} pixels"
        if row.max_side
        else "full size",
        row.task if row.task != "no-reference" else None,
        None
        if srocc is None
        else f"SROCC {_words(srocc[0] if isinstance(srocc, list) else srocc)}",
    ]
    return ", ".join(part for part in parts if part)


def _facts(row: ModelRow) -> dict[str, str | Path]:
    where: dict[str, str | Path] = {"  file": row.path}
    if row.problem is not None:
        return {"  cannot be used": row.problem, **where}
    facts: dict[str, Any] = {"  architecture": row.arch, "  task": row.task}
    if row.max_side is not None:
        facts["  working size"] = f"{row.max_side} pixels" if row.max_side else "full resolution"
    if row.kind != installed.ENCODER:
        facts["  encoder"] = f"{row.encoder or 'not installed'} ({row.fingerprint})"
    else:
        facts["  fingerprint"] = row.fingerprint
    facts |= {f"  {key}": _words(value) for key, value in row.figures.items()}
    for key, value in row.provenance.items():
        if key != _MARKS:
            facts.setdefault(f"  {key}", _words(value))
    return {
        **{key: str(value) for key, value in facts.items() if value not in (None, "", {})},
        **where,
    }


def _words(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if value < 1 else f"{value:g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        first, *rest = map(_words, value)
        return f"{first} ({' to '.join(rest)})" if rest else first
    return str(value)
