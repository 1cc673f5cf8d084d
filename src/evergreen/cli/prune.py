"""Free the disk: remove data that only old runs need."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from evergreen.cli.app import Panel, command, console, print_each, progress_bar
from evergreen.errors import EvergreenError


@command(Panel.DATA)
def prune(
    *,
    keep_days: Annotated[
        int,
        typer.Option(
            min=1, metavar="N", help="Keep the runs of N days, counted back from the last run."
        ),
    ],
    remote: Annotated[
        bool, typer.Option("--remote", help="Remove the data from DVC's remote, too.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be removed; change nothing.")
    ] = False,
    shared_cache: Annotated[
        bool,
        typer.Option("--shared-cache", help="Remove the data from a cache that others use, too."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking first.")] = False,
) -> None:
    """Remove data and models that only runs older than N days need.

    Their records stay. Branches, tags and stashes keep what they need. See docs/schedule.md.
    """
    from evergreen.lifecycle import prune as pruning  # noqa: PLC0415 - each command loads its own
    from evergreen.lifecycle.lock import exclusive, one_replay  # noqa: PLC0415

    with one_replay(), exclusive() as repaired:
        print_each(repaired)
        with progress_bar("read the runs") as tell:
            plan = pruning.make_plan(
                keep_days, from_remote=remote, shared_cache=shared_cache, tell=tell
            )
        print_each(plan.lines())
        if dry_run:
            console.print("dry run: nothing was changed")
        elif not plan.frees_anything:
            return
        elif yes or _is_wanted():
            print_each(pruning.carry_out(plan))
        else:
            console.print("nothing was removed")


def _is_wanted() -> bool:
    if not sys.stdin.isatty():
        raise EvergreenError(
            "stdin is not interactive, so nothing was removed", "the same command with --yes"
        )
    return typer.confirm("Remove it?")
