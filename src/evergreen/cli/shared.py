"""What all commands share: the application, the console, a progress bar, common options."""

from __future__ import annotations

import sys
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)

from evergreen import paths
from evergreen.errors import SettingsError

app = typer.Typer(
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
NO_COMMAND = 2
"""Exit code of a call without a command, as click has it."""
ELSEWHERE = {"serve"}
"""Commands for machines that hold a release and no repository."""
DATE_FORMAT = "%Y-%m-%d"
WIDE = 120
"""Columns of a table that goes to a file or a pipe, where rich would assume 80."""
console = Console(
    markup=False, soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else WIDE
)


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
        from evergreen.cli.schedule import workflow  # noqa: PLC0415 - it needs this module

        workflow()


def progress_bar() -> Progress:
    """A bar at a terminal; nothing in a file or a pipe."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def date_option(said: str, *names: str) -> Any:  # noqa: ANN401 - as typer.Option
    """An option that takes a date such as 2024-04-01."""
    return typer.Option(*names, formats=[DATE_FORMAT], metavar="DATE", help=said)


AsOf = Annotated[datetime, date_option("The date to look from.")]
Through = Annotated[
    datetime | None,
    date_option("Catch up until this date."),
]
Push = Annotated[bool, typer.Option(help="Push data to the DVC remote, then commits with git.")]


class Mode(StrEnum):
    """What a run is asked for."""

    AUTO = "auto"
    INCREMENTAL = "incremental"
    FULL = "full"
    COMPARE = "compare"


ModeOption = Annotated[
    Mode, typer.Option(help="What to do; auto: whatever is due.", show_default=True)
]
