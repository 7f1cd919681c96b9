"""Run the command line: `contrique` and `python -m contrique_cli`."""

from __future__ import annotations

import signal


def main() -> None:
    """Load the program, which an interrupt ends without a traceback, and run it."""
    handler = signal.getsignal(signal.SIGINT)
    is_heard = handler is signal.default_int_handler  # not so in the background
    if is_heard:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from contrique_cli.cli import app  # noqa: PLC0415 - loading takes half a second

    if is_heard:
        signal.signal(signal.SIGINT, handler)
    app.main()


if __name__ == "__main__":
    main()
