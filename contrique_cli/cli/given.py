"""Options that do not go together, refused by one rule: whether they were given."""

from __future__ import annotations

import typer

from contrique_cli.errors import BadOption


def refuse(context: typer.Context, *names: str, home: str) -> None:
    """Refuse options that mean nothing here; one is given even where its value is the default.

    Args:
        context: of the command.
        names: of the command's parameters.
        home: what they belong to, for the message, perhaps with what to do.

    Raises:
        BadOption: naming the first that was given.
    """
    spelled = {one.name: max(one.opts, key=len) for one in context.command.params}
    for name in names:
        if _is_given(context, name):
            raise BadOption(f"{spelled[name]} belongs to {home}")


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
