"""What all commands share: the application, the consoles, a progress bar, common options."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from enum import StrEnum
from functools import wraps
from importlib.util import find_spec
from math import inf
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

import typer
from rich.console import Console
from typer.core import TyperCommand

from evergreen.cli import stopping
from evergreen.errors import SettingsError, missing_extra
from evergreen.settings import paths, removed
from evergreen.settings.dates import parse_date
from evergreen.settings.names import Mode

Function = TypeVar("Function", bound="Callable[..., None]")

LONG_SECONDS = 3.0
WIDE = 120
"""Columns of a table that goes to a file or a pipe, where rich would assume 80."""
EXTRAS = {
    "train": (
        "dvc",
        "jinja2",
        "matplotlib",
        "psutil",
        "python_calamine",
        "sqlalchemy",
        "stop_words",
    ),
    "serve": ("fastapi", "jinja2", "prometheus_client", "python_multipart", "uvicorn"),
}
"""The modules of the extras in ``pyproject.toml``."""
console = Console(
    markup=False, soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else WIDE
)
errors = Console(stderr=True, soft_wrap=True, highlight=False)
"""For errors and warnings: what a command prints on stdout stays readable by other programs."""
app = typer.Typer(
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 success, 1 error, 2 wrong usage, 130 interrupted, 143 terminated.",
)


CALLER = "evergreen.caller"
"""Where a command's context has the folder of the call, from the root of the repository."""


class Panel(StrEnum):
    """The groups of commands in ``--help``, in this order."""

    RUN = "Run"
    INSPECT = "Inspect"
    UNDO = "Undo"
    REVIEW = "Review"
    DATA = "Data"
    SERVE = "Serve"


class Command(TyperCommand):
    """A command that runs at the root of the repository, from whichever folder it is called.

    Paths on the command line are relative to that folder.
    """

    extra: ClassVar[str | None] = "train"
    repository: ClassVar[bool] = True
    after_stop: ClassVar[str] = "Run the same command again: it goes on."
    names_obstacles: ClassVar[bool] = False
    """Whether it lists what keeps others from working, and the hints on settings, by itself."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer's context is private
        """Check what the command needs, then run it."""
        check_extra(f"evergreen {ctx.info_name}", self.extra)
        if self.repository:
            ctx.meta[CALLER] = caller = enter_repository()
            for name, value in ctx.params.items():
                source = ctx.get_parameter_source(name)
                if isinstance(value, Path) and source and source.name == "COMMANDLINE":
                    ctx.params[name] = caller / value
            if self.extra == "train" and not self.names_obstacles:
                from evergreen.vcs.states import check_state  # noqa: PLC0415 - not on a server

                check_state()
            for hint in () if self.names_obstacles else removed.hints():
                errors.print(f"hint: {hint}", markup=False)
        try:
            return super().invoke(ctx)
        except BaseException as error:
            stopped = stopping.cause(error)
            if stopped is None:
                raise
            stopping.end_children()
            errors.print(f"{stopped} {self.after_stop}".strip())
            raise SystemExit(stopped.code) from None


class CheckCommand(Command):
    """A command that lists what keeps others from working."""

    names_obstacles = True


class LightCommand(Command):
    """A command for machines on which nothing is trained."""

    extra = None
    after_stop = "Run the same command again."


def command(
    panel: Panel, name: str | None = None, cls: type[Command] = Command
) -> Callable[[Function], Function]:
    """Add a function to the commands of a panel."""
    return app.command(name, cls=cls, rich_help_panel=panel)


def check_extra(what: str, extra: str | None) -> None:
    """Refuse what needs an extra of the package that is not installed.

    Raises
    ------
    EvergreenError
        Which names the extra.
    """
    if any(find_spec(module) is None for module in EXTRAS.get(extra or "", ())):
        raise missing_extra(what, str(extra))


def enter_repository() -> Path:
    """Change to the root of the repository: this folder, or one above it.

    Returns
    -------
    Path
        From the root to the folder where the command was called.

    Raises
    ------
    SettingsError
        If neither this folder nor one above it holds ``params.yaml``.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / paths.PARAMS).is_file():
            os.chdir(folder)
            return here.relative_to(folder)
    raise SettingsError(
        f"neither {here} nor a folder above it contains {paths.PARAMS}",
        "change to the folder of your Evergreen repository",
    )


def warn_renamed(old: str, new: str) -> None:
    """Print the new name of an old one, which still works."""
    errors.print(
        f"warning: `evergreen {old}` is now `evergreen {new}`; the old name will be removed"
    )


def renamed(old: str, new: str, function: Callable[..., None]) -> None:
    """Keep the old name of a command for one version: hidden, with a warning that names the new."""

    @wraps(function)
    def alias(*args: object, **options: object) -> None:
        warn_renamed(old, new)
        function(*args, **options)

    app.command(old, cls=Command, hidden=True, rich_help_panel=Panel.UNDO)(alias)


def run_exclusively(lines: Iterable[object]) -> None:
    """Print what an iterator yields as it works, while no other run can start here."""
    from evergreen.lifecycle.lock import exclusive  # noqa: PLC0415 - each command loads its own

    with exclusive() as repaired:
        print_each(repaired)
        print_each(lines)


def print_each(lines: Iterable[object]) -> None:
    """Print what an iterator yields, as it yields it: lines and tables."""
    for line in lines:
        console.print(line)


class StepLines:
    """Where there is no terminal: prints a line on stderr for each step that takes some seconds."""

    def __init__(self, description: str) -> None:
        self._description, self._step, self._ends = description, "", inf

    def __call__(self, done: int, total: int, step: str) -> None:
        """Take what is done of a step."""
        now = time.monotonic()
        if step != self._step:
            self._step, self._ends = step, now + LONG_SECONDS
        elif now > self._ends:
            self._ends = inf
            errors.print(f"{self._description} {step}: {done:,} of {total:,} so far")


@contextmanager
def progress_bar(description: str, *, steps: bool = False) -> Iterator[Callable[..., None]]:
    """Show a bar at a terminal, and nothing in a file or a pipe.

    Parameters
    ----------
    steps
        Whether other descriptions are steps of their own, which get `StepLines` where there is no
        terminal.

    Yields
    ------
    callable
        Moves the bar: takes what is done, the total, and optionally another description.
    """
    if steps and not console.is_terminal:
        yield StepLines(description)
        return
    from rich import progress  # noqa: PLC0415 - for few commands

    with progress.Progress(
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(description, total=None)

        def move(done: int, total: int, text: str | None = None) -> None:
            if steps and text != bar.tasks[0].description:
                bar.reset(task)  # its rate says nothing about the next step
            bar.update(task, completed=done, total=total, description=text)

        yield move


def read_day(text: str) -> date:
    """Read a date on the command line."""
    try:
        return parse_date(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def date_option(help_text: str, *names: str) -> Any:  # noqa: ANN401 - as typer.Option
    """An option that takes a date such as 2024-04-01."""
    return typer.Option(*names, parser=read_day, metavar="DATE", help=help_text)


AsOf = Annotated[date, date_option("Use only what was known before this date.")]
Push = Annotated[
    bool, typer.Option("--push", help="Push data to DVC's remote, then commits to git's.")
]
Reason = Annotated[str, typer.Option(help="Record this reason in the history.")]
OneTarget = Annotated[str, typer.Argument(help="Choose the target.", show_default=False)]
AnyTarget = Annotated[
    str | None, typer.Argument(help="Choose one target.", show_default="all targets")
]


ModeOption = Annotated[
    Mode,
    typer.Option(
        metavar="MODE",
        help="Choose what to train: auto (what is due), incremental, full, or compare (nothing).",
    ),
]
