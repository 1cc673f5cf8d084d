"""Commands between people and clones: approve or reject a run, pull what others recorded."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from evergreen.cli.app import Panel, Push, Reason, command, read_day, run_exclusively

Run = Annotated[
    date | None,
    typer.Argument(
        parser=read_day,
        metavar="DATE",
        help="Choose the run by its date; required if several are waiting.",
    ),
]


@command(Panel.REVIEW)
def approve(run: Run = None, *, push: Push = False) -> None:
    """Serve the models of a run that is waiting for review; the next run starts from them."""
    from evergreen.lifecycle.approval import approve as approve_run  # noqa: PLC0415

    run_exclusively(approve_run(run, push=push))


@command(Panel.REVIEW)
def reject(reason: Reason, run: Run = None, *, push: Push = False) -> None:
    """Keep serving the current models instead of those of a run that is waiting for review."""
    from evergreen.lifecycle.approval import reject as reject_run  # noqa: PLC0415

    run_exclusively(reject_run(run, reason, push=push))


@command(Panel.REVIEW)
def pull() -> None:
    """Pull the runs that others recorded or approved, with their data, and serve the result."""
    from evergreen.lifecycle.pull import pull as pull_runs  # noqa: PLC0415

    run_exclusively(pull_runs())
