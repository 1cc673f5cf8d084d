"""Commands about data: create a repository for it, check it, ingest it, simulate it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from evergreen.cli.app import (
    CALLER,
    CheckCommand,
    LightCommand,
    Panel,
    command,
    console,
    date_option,
    print_each,
    progress_bar,
    read_day,
)
from evergreen.cli.init_options import InitOptions
from evergreen.errors import DataError, EvergreenError
from evergreen.settings.dates import parse_date
from evergreen.settings.names import Demo
from evergreen.settings.presets import preset_names

if TYPE_CHECKING:
    from evergreen.settings.pipeline import Settings


@command(Panel.DATA)
def init(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Create the repository in this folder.")],
    *,
    demo: Annotated[
        Demo | None,
        typer.Option(
            metavar="NAME",
            help=f"Use this demo data set and its settings: {', '.join(get_args(Demo))}.",
        ),
    ] = None,
    files: Annotated[
        Path | None, typer.Option(metavar="GLOB", help="Read the files that match.")
    ] = None,
    url_env: Annotated[
        str | None,
        typer.Option(help="Read a database instead; this environment variable holds its URL."),
    ] = None,
    table: Annotated[str | None, typer.Option(help="Read this table of the database.")] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"Read a known export, without naming columns: {', '.join(preset_names())}.",
        ),
    ] = None,
    client_id: Annotated[
        str | None, typer.Option(help="Take the client's id from this column.")
    ] = None,
    timestamp: Annotated[str | None, typer.Option(help="Take the date from this column.")] = None,
    amount: Annotated[
        str | None,
        typer.Option(help="Take the amount from this column, a sum of columns, or PRICE*QUANTITY."),
    ] = None,
    text: Annotated[
        str | None, typer.Option(help="Take a description from this column, if there is one.")
    ] = None,
    invoice_id: Annotated[
        str | None, typer.Option(help="Take the invoice from this column, if there is one.")
    ] = None,
    date_order: Annotated[
        str | None,
        typer.Option(
            metavar="ORDER", help="Read dates as day_first or month_first where cells don't tell."
        ),
    ] = None,
    decimal: Annotated[
        str | None,
        typer.Option(metavar="SIGN", help="Read this sign as the decimal one: '.' or ','."),
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(metavar="ZONE", help="Take days in this time zone, such as Europe/Paris."),
    ] = None,
    as_of: Annotated[
        date | None,
        date_option("Make the first run as of this date: the day after the last day of data."),
    ] = None,
    skip_preview: Annotated[
        bool, typer.Option("--skip-preview", help="Create it without reading the files first.")
    ] = False,
) -> None:
    """Create a repository for other data from this one; guess or ask for missing options.

    It lists the columns of the first file with some of their cells, guesses what they hold, shows
    what would be read, and asks before it creates anything. If stdin is not interactive, it takes
    its guess where that is clear; else it prints the command to call and fails.
    """
    from evergreen.lifecycle.init import begin, begin_demo  # noqa: PLC0415 - each loads its own

    if demo is not None:
        print_each(begin_demo(folder, demo))
        return
    from evergreen.cli import init_dialogue  # noqa: PLC0415

    options = InitOptions(
        folder=folder,
        caller=context.meta[CALLER],
        files=None if files is None else str(files),
        url_env=url_env,
        table=table,
        preset=preset,
        client_id=client_id,
        timestamp=timestamp,
        amount=amount,
        text=text,
        invoice_id=invoice_id,
        date_order=date_order,
        decimal=decimal,
        timezone=timezone,
        as_of=as_of,
    )
    if folder.exists():
        raise EvergreenError(f"{folder} already exists", "choose the name of a new folder")
    day = init_dialogue.complete(options, skip_preview=skip_preview)
    print_each(begin(folder, options.transactions(), as_of=day, timezone=options.timezone))


@command(Panel.DATA, cls=CheckCommand)
def check() -> None:
    """Check settings, source, git, DVC and disk, and show what to do next."""
    from evergreen.lifecycle.check import check as check_all  # noqa: PLC0415

    failed = False
    for finding in check_all():
        console.print(str(finding))
        failed = failed or finding.failed
    if failed:
        raise typer.Exit(code=1)


@command(Panel.DATA)
def ingest(
    demo: Annotated[
        Demo | None,
        typer.Option(
            metavar="NAME",
            help=f"Make sure that this demo data set is the source: {', '.join(get_args(Demo))}.",
            show_default="the source named in params.yaml",
        ),
    ] = None,
    through: Annotated[
        date | None,
        typer.Option(
            parser=read_day,
            metavar="DATE",
            help="Ingest rows up to this day.",
            show_default="the day before as_of",
        ),
    ] = None,
    *,
    rebuild: Annotated[
        bool,
        typer.Option(
            "--rebuild", help="Make data/raw anew from the whole source, as it is read now."
        ),
    ] = False,
    drop_missing: Annotated[
        bool,
        typer.Option(
            "--drop-missing",
            help="Drop rows that the source no longer has; only with --rebuild.",
        ),
    ] = False,
) -> None:
    """Ingest new rows of the source into data/raw, checked and partitioned by day."""
    from evergreen.ingestion.ingest import ingest_new_rows  # noqa: PLC0415
    from evergreen.lifecycle.lock import exclusive  # noqa: PLC0415
    from evergreen.settings.loading import load_settings  # noqa: PLC0415

    settings = load_settings()
    if demo not in (None, settings.source.demo):
        source = f"the demo {settings.source.demo}" if settings.source.demo else "tables of its own"
        raise DataError(
            f"the source of this repository is {source}, not {demo}: rows of both would be mixed",
            f"evergreen init ../{demo} --demo {demo}",
        )
    if rebuild or drop_missing:
        _rebuild(settings, through, drop_missing=drop_missing)
        return
    with exclusive() as repaired, progress_bar("ingest", steps=True) as progress:
        print_each(repaired)
        print_each(ingest_new_rows(settings, through=through, progress=progress))


def _rebuild(settings: Settings, through: date | None, *, drop_missing: bool) -> None:
    from evergreen.lifecycle.lock import exclusive  # noqa: PLC0415
    from evergreen.lifecycle.rebuild import rebuild_raw  # noqa: PLC0415

    with exclusive() as repaired, progress_bar("ingest", steps=True) as progress:
        print_each(repaired)
        print_each(
            rebuild_raw(settings, through=through, drop_missing=drop_missing, progress=progress)
        )


@dataclass(frozen=True)
class SimulatedDrift:
    """The day from which simulated segments behave differently, and by how much."""

    on: date
    size: float

    @classmethod
    def parse(cls, value: str) -> SimulatedDrift:
        """Read DATE:SIZE."""
        day, _, size = value.partition(":")
        try:
            return cls(parse_date(day), float(size))
        except ValueError:
            raise typer.BadParameter(
                f"{value!r} is not DATE:SIZE, such as 2017-07-01:0.5"
            ) from None


@command(Panel.DATA, cls=LightCommand)
def simulate(
    out: Annotated[Path, typer.Option(help="Write to this folder; it must not exist.")],
    *,
    clients: Annotated[int | None, typer.Option(help="Simulate this many clients.")] = None,
    days: Annotated[int | None, typer.Option(help="Simulate this many days.")] = None,
    start: Annotated[date | None, date_option("Start on this day.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed all randomness with this number.")] = None,
    drift: Annotated[
        SimulatedDrift | None,
        typer.Option(
            parser=SimulatedDrift.parse,
            metavar="DATE:SIZE",
            help="Change the behaviour of segments from this date on, by this size.",
        ),
    ] = None,
    strategy_change: Annotated[
        date | None,
        date_option("Change prices, assortment and clientele on this date."),
    ] = None,
) -> None:
    """Simulate a retailer with known ground truth; params.yaml has further settings."""
    from evergreen.settings.loading import load_settings, with_simulation  # noqa: PLC0415
    from evergreen.simulation.files import write_simulation  # noqa: PLC0415

    options = {
        "clients": clients,
        "days": days,
        "start": start,
        "seed": seed,
        "drift_on": drift.on if drift else None,
        "drift_size": drift.size if drift else None,
        "strategy_change_on": strategy_change,
    }
    changes = {name: value for name, value in options.items() if value is not None}
    print_each(write_simulation(with_simulation(load_settings(), changes), out))
