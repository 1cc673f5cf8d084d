"""The command line: ``evergreen --help``."""

from __future__ import annotations

import sys
from datetime import datetime  # noqa: TC003 - typer reads the annotations
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from evergreen.errors import EvergreenError

app = typer.Typer(
    help="Keep a retailer's client models fresh: reproducible continuous training on DVC.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console(soft_wrap=True, highlight=False)


class Demo(StrEnum):
    """Data sets that come with an installed package."""

    COMPLETE_JOURNEY = "complete-journey"


@app.command()
def ingest(
    demo: Annotated[Demo, typer.Option(help="The demo data set to take in.")],
    through: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="The last day to take in; all there is by default.",
            metavar="DATE",
        ),
    ] = None,
) -> None:
    """Append new rows of a source to data/raw, checked and partitioned by day."""
    from evergreen.sources import complete_journey  # noqa: PLC0415 - each command loads its own
    from evergreen.sources.ingest import ingest_transactions  # noqa: PLC0415
    from evergreen.store import tables  # noqa: PLC0415

    con = tables.connect(threads=2)
    sources = {Demo.COMPLETE_JOURNEY: complete_journey.rows}
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(f"ingest {demo}", total=None)
        done = ingest_transactions(
            con,
            sources[demo](con),
            through=through.date() if through else None,
            progress=lambda days, total: progress.update(task, completed=days, total=total),
        )
    for line in done.lines():
        console.print(f"{demo}: {line}")


@app.command()
def pin() -> None:
    """Put the inputs of the next run under DVC's care; empty ones where it is the first."""
    from evergreen.loop.pin import pin as pin_inputs  # noqa: PLC0415
    from evergreen.params import load_settings  # noqa: PLC0415

    for line in pin_inputs(load_settings()):
        console.print(line)


@app.command()
def summary() -> None:
    """Show the outcome of the last run: models, gains with their intervals, verdicts."""
    from evergreen.loop.summary import summary as summarise  # noqa: PLC0415
    from evergreen.params import load_settings  # noqa: PLC0415

    for part in summarise(load_settings()):
        console.print(part)


def main() -> None:
    """Run a command; an error is told in words, with what to do next, and exits with 1."""
    try:
        app()
    except EvergreenError as error:
        Console(stderr=True, soft_wrap=True, highlight=False).print(
            f"[red]error:[/red] {error}", markup=True
        )
        sys.exit(1)
