"""All commands, and how their errors are told."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.markup import escape

import evergreen
from evergreen.cli import (
    data,
    forget,
    inspect,
    prune,
    review,
    runs,
    schedule,
    serve,
    stopping,
    undo,
)
from evergreen.cli.app import Panel, app, check_extra, console, enter_repository, errors
from evergreen.errors import explained, is_disk_full
from evergreen.settings.kernels import choose_kernels

__all__ = [
    "app",
    "console",
    "data",
    "forget",
    "inspect",
    "prune",
    "review",
    "run",
    "runs",
    "schedule",
    "serve",
    "undo",
]

NO_COMMAND = 2
"""Exit code of a call without a command, as click has it."""
PANELS = [str(panel) for panel in Panel]
app.registered_commands.sort(key=lambda command: PANELS.index(str(command.rich_help_panel)))


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - as typer calls it
    if wanted:
        console.print(f"evergreen {evergreen.__version__}")
        raise typer.Exit


@app.callback()
def front_door(
    context: typer.Context,
    *,
    version: Annotated[  # noqa: ARG001 - its callback prints it
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Keep a retailer's client models up to date, with every run reproducible by DVC.

    Without a command, open the menu.
    """
    if context.invoked_subcommand is not None:
        return
    if not sys.stdin.isatty():
        context.get_help()  # typer prints it
        raise typer.Exit(NO_COMMAND)
    check_extra("evergreen menu", "train")
    from evergreen.vcs.states import check_state  # noqa: PLC0415 - not on a server

    enter_repository()
    check_state()
    schedule.menu()


def run() -> None:
    """Run a command; an error is one message with the next step, and exits with 1."""
    choose_kernels()  # before a command imports numpy, and for the processes that it starts
    sys.unraisablehook = _report_unraisable
    try:
        app()
    except Exception as error:
        message = explained(error)
        if message is None:
            raise
        errors.print(f"[red]error:[/red] {escape(str(message))}")
        sys.exit(1)


def _report_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Report an error that a library can't raise, unless the message of a full disk follows."""
    if isinstance(unraisable.exc_value, stopping.Stopped):
        stopping.raise_again()
    elif not is_disk_full(str(unraisable.exc_value)):
        sys.__unraisablehook__(unraisable)
