"""Commands that start runs: from cron, and from a menu."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.prompt import Prompt

from evergreen.cli.app import Panel, command, console, print_each, renamed
from evergreen.settings.dates import parse_date

CHOICES = {
    "1": ("daily update", ["ml_daily_update.sh"]),
    "2": ("weekly full retrain", ["ml_weekly_retrain.sh"]),
    "3": ("comparison", ["ml_monthly_ab_test.sh"]),
    "4": ("update, full retrain and comparison", ["ml_weekly_retrain.sh", "ml_monthly_ab_test.sh"]),
}
"""The menu: the name of each choice, and its scripts; a full run updates as well."""
QUIT = "q"


@command(Panel.RUN)
def schedule(
    action: Annotated[
        Literal["install", "show", "remove"], typer.Argument(help="Choose what to do.")
    ],
) -> None:
    """Install, show or remove this repository's crontab entries."""
    from evergreen.lifecycle import crontab  # noqa: PLC0415

    root, table = Path.cwd(), crontab.read()
    if action == "install":
        crontab.check_remote()
    if action != "show":
        change = crontab.with_entries if action == "install" else crontab.without_entries
        table = change(table, root)
        crontab.write(table)
    print_each(crontab.entries_in(table, root) or [f"nothing is scheduled for {root}"])


@command(Panel.RUN)
def menu() -> None:
    """Show the status, and run what you choose from a menu."""
    from evergreen.lifecycle.status import next_date, status  # noqa: PLC0415
    from evergreen.settings.loading import load_settings  # noqa: PLC0415
    from evergreen.vcs.processes import started  # noqa: PLC0415

    while True:
        settings = load_settings()
        following = next_date(settings)
        print_each(status(settings, following))
        choice = _choice()
        as_of = None if choice == QUIT else _date(following)
        if as_of is None:
            return
        for script in CHOICES[choice][1]:
            console.print(f"$ scripts/{script} {as_of}")
            with started([f"scripts/{script}", str(as_of)]) as process:
                code = process.wait()
            if code:
                console.print(f"failed with exit code {code}, see above")
                break
        console.print()


def _choice() -> str:
    for number, (name, scripts) in CHOICES.items():
        files = ", ".join(f"scripts/{script}" for script in scripts)
        console.print(f"  {number}  {name:<40} {files}")
    console.print(f"  {QUIT}  quit")
    try:
        return Prompt.ask("Which", choices=[*CHOICES, QUIT], default=QUIT, console=console)
    except EOFError:
        console.print("\nstdin is not interactive: call one of the scripts")
        return QUIT


def _date(following: date) -> date | None:
    """Ask for the as-of date; None to quit."""
    while True:
        answer = Prompt.ask("As of", default=str(following), console=console)
        if answer == QUIT:
            return None
        try:
            return parse_date(answer)
        except ValueError as error:
            console.print(str(error))


renamed("workflow", "menu", menu)
