"""The commands about installed models: models, models import."""

import typer

app = typer.Typer()


@app.callback(invoke_without_command=True)
def models() -> None:
    """TODO"""
