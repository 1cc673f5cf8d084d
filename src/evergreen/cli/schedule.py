"""Commands for a machine that runs by itself, and for a person before it: schedule, menu."""

from __future__ import annotations

import subprocess
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.prompt import Prompt

from evergreen.cli.app import app, console, renamed


class Action(StrEnum):
    """What to do with the crontab."""

    INSTALL = "install"
    SHOW = "show"
    REMOVE = "remove"


CHOICES = {
    "1": ("daily update", ["ml_daily_update.sh"]),
    "2": ("weekly full retrain", ["ml_weekly_retrain.sh"]),
    "3": ("comparison", ["ml_monthly_ab_test.sh"]),
    "4": ("update, full retrain and comparison", ["ml_weekly_retrain.sh", "ml_monthly_ab_test.sh"]),
}
"""The menu: what a choice is called, and the scripts it stands for; a full run updates as well."""
LEAVE = "q"


@app.command()
def schedule(action: Annotated[Action, typer.Argument(help="What to do.")]) -> None:
    """Install, show or remove the entries of this repository in your crontab."""
    from evergreen.lifecycle import crontab  # noqa: PLC0415

    root, found = Path.cwd(), crontab.read()
    if action is Action.INSTALL:
        found = crontab.with_entries(found, root)
        crontab.write(found)
    elif action is Action.REMOVE:
        found = crontab.without_entries(found, root)
        crontab.write(found)
    for line in crontab.entries_in(found, root) or [f"nothing is scheduled for {root}"]:
        console.print(line)


@app.command()
def menu() -> None:
    """Show the state of things, and run what you choose from a menu."""
    from evergreen.lifecycle.status import next_date, state  # noqa: PLC0415
    from evergreen.settings.loading import load_settings  # noqa: PLC0415

    while True:
        settings = load_settings()
        following = next_date(settings)
        for part in state(settings, following):
            console.print(part)
        choice = _choice()
        as_of = None if choice == LEAVE else _date(following)
        if as_of is None:
            return
        for command in commands(choice, as_of):
            console.print(f"$ {' '.join(command)}")
            if code := subprocess.run(command, check=False).returncode:
                console.print(f"that ended with exit code {code}; above it says what to do")
                break
        console.print()


def _choice() -> str:
    for number, (name, scripts) in CHOICES.items():
        called = ", ".join(f"scripts/{script}" for script in scripts)
        console.print(f"  {number}  {name:<40} {called}")
    console.print(f"  {LEAVE}  leave")
    try:
        return Prompt.ask("Which", choices=[*CHOICES, LEAVE], default=LEAVE, console=console)
    except EOFError:
        console.print("\nnobody is there to choose: call one of the scripts")
        return LEAVE


def _date(following: date) -> date | None:
    """The date that is asked for; None where it is the word to leave."""
    while True:
        given = Prompt.ask("As of", default=str(following), console=console)
        if given == LEAVE:
            return None
        try:
            return date.fromisoformat(given)
        except ValueError:
            console.print(f"{given} is no date such as {following}")


def commands(choice: str, as_of: date) -> list[list[str]]:
    """The commands that a choice of the menu stands for.

    >>> from datetime import date
    >>> commands("1", date(2017, 4, 2))
    [['scripts/ml_daily_update.sh', '2017-04-02']]
    """
    return [[f"scripts/{script}", str(as_of)] for script in CHOICES[choice][1]]


renamed("workflow", "menu", menu)
