"""What all commands share: the application, the console, a progress bar, common options."""

from __future__ import annotations

import sys
from datetime import datetime
from enum import StrEnum
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any

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

if TYPE_CHECKING:
    from collections.abc import Callable

app = typer.Typer(
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
DATE_FORMAT = "%Y-%m-%d"
WIDE = 120
"""Columns of a table that goes to a file or a pipe, where rich would assume 80."""
console = Console(
    markup=False, soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else WIDE
)
errors = Console(stderr=True, soft_wrap=True, highlight=False)
"""For errors and warnings: what a command prints on stdout stays readable by other programs."""


def warn_renamed(old: str, new: str) -> None:
    """Name the new word for an old one, which still works."""
    errors.print(
        f"warning: `evergreen {old}` is now `evergreen {new}`; the old name will be removed"
    )


def renamed(old: str, new: str, command: Callable[..., None]) -> None:
    """Keep the old name of a command for one version: hidden, with a warning that names the new."""

    @wraps(command)
    def alias(*args: object, **options: object) -> None:
        warn_renamed(old, new)
        command(*args, **options)

    app.command(old, hidden=True)(alias)


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
