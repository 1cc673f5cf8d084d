"""Commands between people and clones: approve or reject what waits, take over what is recorded."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from evergreen.cli.app import (
    DATE_FORMAT,
    Push,
    app,
    console,
)

Run = Annotated[
    datetime | None,
    typer.Argument(
        formats=[DATE_FORMAT],
        metavar="DATE",
        help="The date of the run; not needed where one alone waits.",
    ),
]


@app.command()
def approve(run: Run = None, *, push: Push = False) -> None:
    """Serve what a run that waits for review has promoted; the next run starts from it."""
    from evergreen.lifecycle.approval import approve as approve_run  # noqa: PLC0415
    from evergreen.lifecycle.lock import exclusive  # noqa: PLC0415

    with exclusive():
        for line in approve_run(run.date() if run else None, push=push):
            console.print(line)


@app.command()
def reject(
    reason: Annotated[str, typer.Option(help="Why; for the history.")],
    run: Run = None,
    *,
    push: Push = False,
) -> None:
    """Keep what is served instead of what a run that waits for review has promoted."""
    from evergreen.lifecycle.approval import reject as reject_run  # noqa: PLC0415
    from evergreen.lifecycle.lock import exclusive  # noqa: PLC0415

    with exclusive():
        for line in reject_run(run.date() if run else None, reason, push=push):
            console.print(line)


@app.command()
def pull() -> None:
    """Take over what others have recorded and approved, with its data, and serve it."""
    from evergreen.lifecycle.lock import exclusive  # noqa: PLC0415
    from evergreen.lifecycle.pull import pull as take_over  # noqa: PLC0415

    with exclusive():
        for line in take_over():
            console.print(line)
