"""The commands about installed models: models, models import."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contrique_cli.cli import console
from contrique_cli.models import installed

if TYPE_CHECKING:
    from contrique_cli.models.catalogue import Row

_MARKS = "marks"  # of the photos a regressor was fitted on: for `evaluate`, not for people

app = typer.Typer()


@app.callback(invoke_without_command=True)
def models(context: typer.Context) -> None:
    """List installed encoders and regressors: what they are, how good, on what, under what licence.

    Example: contrique models
    """
    if context.invoked_subcommand is not None:
        return
    from contrique_cli.models import catalogue

    for row in catalogue.list_installed():
        where = "bundled" if row.is_bundled else str(row.path)
        console.show_facts(f"{row.kind} {row.name} ({where})", _facts(row))
    console.say(f"your own models lie in {installed.user_folder()}")


@app.command("import")
def import_model(
    file: Annotated[Path, typer.Argument(help="Official .tar or .save, or a file of contrique's.")],
    *,
    name: Annotated[
        str | None, typer.Option(help="What to call it [default: from the file's name].")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Encoder that a regressor belongs to [default: official].")
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
        tuple[float, float] | None, typer.Option(help="Lowest and highest opinion.")
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


def _facts(row: Row) -> dict[str, str]:
    if row.problem is not None:
        return {"  cannot be used": row.problem}
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
    return {key: str(value) for key, value in facts.items() if value not in (None, "", {})}


def _words(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if value < 1 else f"{value:g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        first, *rest = map(_words, value)
        return f"{first} ({' to '.join(rest)})" if rest else first
    return str(value)
