"""The command line: options to verbs to console, and the one place where errors become messages."""

from __future__ import annotations

import signal
import sys
import warnings
from types import FrameType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from contrique_cli.cli import (
    cache,
    compare,
    console,
    evaluate,
    explain,
    features,
    fit,
    models,
    score,
    select,
    train,
)
from contrique_cli.cli.deliver import INTERRUPTED, NOTHING
from contrique_cli.errors import BadOption, ContriqueError
from contrique_cli.version import __version__

USAGE = 2


class _Group(TyperGroup):
    """Turns what a user can mend into one line, and everything else into a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BadOption as error:
            console.say(f"error: {error}")
            raise typer.Exit(USAGE) from error
        except ContriqueError as error:
            console.say(f"error: {error}")
            raise typer.Exit(NOTHING) from error
        except KeyboardInterrupt as error:
            console.say("interrupted")
            raise typer.Exit(INTERRUPTED) from error


app = typer.Typer(
    name="contrique",
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(is_wanted: bool) -> None:  # noqa: FBT001 - typer's callback signature
    if is_wanted:
        sys.stdout.write(f"contrique {__version__}\n")
        raise typer.Exit


@app.callback()
def contrique(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Score photo collections for technical quality: blur, noise, compression, exposure.

    Example: contrique score ./photos
    """


app.command("score")(score.score)
app.command("compare")(compare.compare)
app.command("select")(select.select)
app.command("explain")(explain.explain)
app.command("features")(features.features)
app.command("fit-regressor")(fit.fit_regressor)
app.command("evaluate")(evaluate.evaluate)
app.add_typer(models.app, name="models")
app.add_typer(cache.app, name="cache")
app.command("train")(train.train)


def main() -> None:
    """Run the program as the shell expects it: quiet on SIGPIPE, orderly on SIGTERM."""
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, _stop)
    warnings.filterwarnings("ignore", module=r"PIL\.")  # a photo's oddities are not the user's
    app(prog_name="contrique")


def _stop(_signum: int, _frame: FrameType | None) -> None:
    """SIGTERM stops as Ctrl-C does: what was done so far is written."""
    raise KeyboardInterrupt
