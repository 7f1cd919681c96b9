"""The command line: options to verbs to console, and the one place where errors become messages."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Callable
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
    gallery,
    models,
    rate,
    score,
    select,
    streams,
    train,
    undo,
    watch,
)
from contrique_cli.cli.deliver import DONE, INTERRUPTED, NOTHING
from contrique_cli.errors import BadOption, ContriqueError, lacks_memory
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
        except BrokenPipeError:
            _leave_quietly()
        except (MemoryError, RuntimeError, ImportError, OSError) as error:
            if not lacks_memory(error):
                raise
            console.say(
                "error: not enough memory for the program itself: close other programs, or raise "
                "the limit that `ulimit -v` shows"
            )
            raise typer.Exit(NOTHING) from error


app = typer.Typer(
    name="contrique",
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
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


SCORE, REPORT, JUDGE, KEEP = "Score", "Act on a report", "Models and opinions", "On this machine"
"""Panels of the list of commands."""

COMMANDS: dict[str, list[Callable[..., None]]] = {
    SCORE: [score.score, watch.watch, compare.compare, explain.explain, features.features],
    REPORT: [select.select, gallery.gallery, rate.rate, undo.undo],
    JUDGE: [fit.fit_regressor, evaluate.evaluate, train.train],
}
for panel, commands in COMMANDS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
app.add_typer(models.app, name="models", rich_help_panel=KEEP)
app.add_typer(cache.app, name="cache", rich_help_panel=KEEP)


def main() -> None:
    """Run the program as the shell expects it: orderly on SIGTERM and SIGHUP, quiet on SIGPIPE."""
    streams.settle()
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # as of nohup
            signal.signal(number, _stop)
    status = _run()
    # Everything is written. Python would wait for a decoder, would end by SIGINT where an interrupt
    # came while a library was being loaded, and would take PyTorch apart, a fifth of its start.
    if status != INTERRUPTED:
        atexit._run_exitfuncs()  # noqa: SLF001 - what libraries want done
    os._exit(status)


def _run() -> int:
    """The exit status of the command."""
    try:
        app(prog_name="contrique", standalone_mode=True)
        status: object = DONE
    except SystemExit as end:
        status = end.code
    except ContriqueError as error:  # from help or version, which come before any command
        console.say(f"error: {error}")
        status = NOTHING
    except KeyboardInterrupt:  # before any command, too
        console.say("interrupted")
        status = INTERRUPTED
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _leave_quietly()
    except ContriqueError as error:
        console.say(f"error: {error}")
        status = NOTHING
    streams.abandon_stdout()
    return status if isinstance(status, int) else DONE


def _leave_quietly() -> None:
    """End as any program does whose reader went away."""
    streams.abandon_stdout()
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.raise_signal(signal.SIGPIPE)
    raise typer.Exit(NOTHING)


def _stop(_signum: int, _frame: FrameType | None) -> None:
    """A signal stops as Ctrl-C does: what was done so far is written."""
    raise KeyboardInterrupt
