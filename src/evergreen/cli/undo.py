"""Commands that overrule the gate: rollback, hold, unhold."""

from __future__ import annotations

from typing import Annotated

import typer

from evergreen.cli.app import (
    AnyTarget,
    OneTarget,
    Panel,
    Reason,
    command,
    renamed,
    run_exclusively,
)


@command(Panel.UNDO)
def rollback(
    to: Annotated[
        str,
        typer.Option(
            metavar="VERSION|DATE", help="Go back to this version, or to the models of this date."
        ),
    ],
    reason: Reason,
    target: AnyTarget = None,
    *,
    hold: Annotated[
        bool, typer.Option("--hold", help="Hold the model until `evergreen unhold`.")
    ] = False,
) -> None:
    """Serve an older model at once; the next run starts from it."""
    from evergreen.lifecycle.rollback import roll_back  # noqa: PLC0415

    run_exclusively(roll_back(target, to, reason, hold=hold))


@command(Panel.UNDO)
def hold(target: OneTarget, reason: Reason) -> None:
    """Keep a target's model in production, whatever the gate decides."""
    from evergreen.lifecycle.hold import set_hold  # noqa: PLC0415 - each command loads its own

    run_exclusively(set_hold(target, reason))


@command(Panel.UNDO)
def unhold(target: OneTarget) -> None:
    """Let the gate decide about a held target again."""
    from evergreen.lifecycle.hold import set_hold  # noqa: PLC0415 - each command loads its own

    run_exclusively(set_hold(target, None))


renamed("release", "unhold", unhold)
