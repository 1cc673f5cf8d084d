"""The command line: ``evergreen --help``."""

from __future__ import annotations

import sys

import typer
from rich.markup import escape

from evergreen.cli import (
    data,
    history,
    review,
    runs,
    schedule,
    serve,
)
from evergreen.cli.app import app, console, errors
from evergreen.errors import EvergreenError, SettingsError, in_words
from evergreen.settings import paths

__all__ = ["app", "console", "data", "history", "main", "review", "runs", "schedule", "serve"]

NO_COMMAND = 2
"""Exit code of a call without a command, as click has it."""
ELSEWHERE = {"serve"}
"""Commands for machines that hold a release and no repository."""


@app.callback()
def at_the_root(context: typer.Context) -> None:
    """Keep a retailer's client models fresh: reproducible continuous training on DVC."""
    if context.invoked_subcommand is None and not sys.stdin.isatty():
        context.get_help()  # typer prints it
        raise typer.Exit(NO_COMMAND)
    if context.invoked_subcommand not in ELSEWHERE and not paths.PARAMS.is_file():
        raise SettingsError(
            f"{paths.PARAMS} was expected in the current folder, and is not there",
            "change to the root of the repository",
        )
    if context.invoked_subcommand is None:
        schedule.menu()


def main() -> None:
    """Run a command; an error is told in words, with what to do next, and exits with 1."""
    try:
        app()
    except (EvergreenError, OSError) as error:
        told = in_words(error) if isinstance(error, OSError) else error
        errors.print(f"[red]error:[/red] {escape(str(told))}")
        sys.exit(1)
