"""Commands that run: pin, finish, cycle."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from evergreen.cli.app import (
    AsOf,
    ModeOption,
    Panel,
    Push,
    command,
    date_option,
    print_each,
    progress_bar,
    run_exclusively,
    warn_renamed,
)


@command(Panel.RUN)
def pin(
    as_of: Annotated[
        date | None,
        date_option("Pin a run as of this date; without it, pin the first run."),
    ] = None,
    mode: ModeOption = "auto",
    *,
    new_lineage: Annotated[
        bool,
        typer.Option(
            "--new-lineage", help="Start a new model lineage: the next run has no champion."
        ),
    ] = False,
    new_line: Annotated[bool, typer.Option("--new-line", hidden=True)] = False,
) -> None:
    """Ingest new rows, and pin the inputs of the next run with DVC."""
    from evergreen.lifecycle.pin import pin_first_run, pin_run  # noqa: PLC0415
    from evergreen.settings.loading import load_settings  # noqa: PLC0415

    if new_line:
        warn_renamed("pin --new-line", "pin --new-lineage")
    new_lineage = new_lineage or new_line
    run_exclusively(
        pin_run(as_of, mode, new_lineage=new_lineage)
        if as_of
        else pin_first_run(load_settings(), new_lineage=new_lineage)
    )


@command(Panel.RUN)
def finish(
    *,
    push: Push = False,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Replace the verdict that is recorded for this date."),
    ] = False,
    reason: Annotated[
        str | None, typer.Option(help="Record this reason for a replaced verdict.")
    ] = None,
) -> None:
    """Verify and publish the release of the run, then record and commit it."""
    from evergreen.lifecycle.finish import finish as finish_run  # noqa: PLC0415

    if replace != bool(reason):
        raise typer.BadParameter("--replace and --reason are used together")
    run_exclusively(finish_run(push=push, replace=reason))


@command(Panel.RUN)
def cycle(
    as_of: AsOf,
    through: Annotated[date | None, date_option("Repeat the cycle up to this date.")] = None,
    every: Annotated[
        int, typer.Option(min=1, metavar="DAYS", help="Let this many days pass between runs.")
    ] = 1,
    mode: ModeOption = "auto",
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what is due and change nothing.")
    ] = False,
    push: Push = False,
) -> None:
    """Pin, run and finish: for one date, or for a series of dates."""
    from evergreen.lifecycle import cycle as loop  # noqa: PLC0415

    if dry_run:
        print_each(loop.dry_run(as_of, through, every=every, mode=mode))
        return
    with progress_bar("") as progress:
        print_each(loop.cycle(as_of, through, every=every, mode=mode, push=push, doing=progress))
