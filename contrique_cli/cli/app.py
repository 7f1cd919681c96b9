"""The command line: options to verbs to console, and the one place where errors become messages."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from types import FrameType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from contrique_cli.cli import console, streams
from contrique_cli.cli.deliver import DONE, INTERRUPTED, NOTHING
from contrique_cli.errors import BadOption, ContriqueError, lacks_memory
from contrique_cli.version import __version__

USAGE = 2

PANELS = {
    "Score": ("score", "watch", "compare", "explain", "features"),
    "Act on a report": ("select", "gallery", "rate", "undo"),
    "Models and opinions": ("fit-regressor", "evaluate", "train"),
    "On this machine": ("models", "cache"),
}
"""The commands, by the panel of the list that shows them."""

_MODULES = {"fit-regressor": "fit"}
"""Files of commands, where they have another name."""


class _Commands(Mapping[str, Any]):
    """Commands by name, each loaded when it is asked for: all take 0.1 s, and one is wanted."""

    def __init__(self) -> None:
        self._panels = {name: panel for panel, names in PANELS.items() for name in names}
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = self._load(name, self._panels[name])
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._panels)

    def __len__(self) -> int:
        return len(self._panels)

    @staticmethod
    def _load(name: str, panel: str) -> Any:
        module = import_module(f"contrique_cli.cli.{_MODULES.get(name, name)}")
        found = getattr(module, "app", None)  # of commands that have commands
        if found is None:
            found = typer.Typer(add_completion=False)
            found.command()(getattr(module, name.replace("-", "_")))
        command: Any = get_command(found)
        command.name, command.rich_help_panel = name, panel
        return command


class _Group(TyperGroup):
    """Turns what a user can mend into one line, and everything else into a traceback."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings | {"commands": _Commands()})

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse what is empty: as a path it would be the current folder, moved or rated."""
        for arg in args:
            name, sign, value = arg.partition("=")
            if not arg or (name.startswith("--") and sign and not value):
                raise typer.BadParameter(
                    f"{name or 'an argument'} is empty, perhaps a variable that is not set; for "
                    "the current folder give ."
                )
        return list(super().parse_args(ctx, args))

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
