"""Commands about data: create a repository for it, check it, ingest it, simulate it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, get_args

import typer

from evergreen.cli.app import (
    LightCommand,
    Panel,
    command,
    console,
    date_option,
    print_each,
    progress_bar,
    read_day,
)
from evergreen.settings import paths
from evergreen.settings.dates import parse_date
from evergreen.settings.names import Demo


@command(Panel.DATA)
def init(
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
    adapter: Annotated[
        str | None, typer.Option(help="Read files of a known format, without naming columns.")
    ] = None,
    client_id: Annotated[
        str | None, typer.Option(help="Take the client's id from this column.")
    ] = None,
    timestamp: Annotated[str | None, typer.Option(help="Take the date from this column.")] = None,
    amount: Annotated[
        str | None, typer.Option(help="Take the amount from this column, or from PRICE*QUANTITY.")
    ] = None,
    text: Annotated[
        str | None, typer.Option(help="Take a description from this column, if there is one.")
    ] = None,
    invoice_id: Annotated[
        str | None, typer.Option(help="Take the invoice from this column, if there is one.")
    ] = None,
    as_of: Annotated[
        date | None,
        date_option("Make the first run as of this date: the day after the last day of data."),
    ] = None,
) -> None:
    """Create a repository for other data from this one; prompt for missing options."""
    from evergreen.lifecycle.init import begin, begin_demo  # noqa: PLC0415 - each loads its own

    if demo is not None:
        print_each(begin_demo(folder, demo))
        return
    glob = None if files is None else str(files)
    if glob is None and url_env is None:
        glob = str(typer.prompt("Files, as a glob (or $NAME, a variable with a database's URL)"))
        if glob.startswith("$"):
            url_env, glob = glob[1:], None
    if url_env is not None:
        table = table or typer.prompt("Table of the database")
    transactions: dict[str, object] = {"files": glob, "url_env": url_env, "table": table}
    if adapter is None:
        client_id = client_id or typer.prompt("Column of the client's id")
        timestamp = timestamp or typer.prompt("Column of the date")
        if amount is None:
            amount = str(typer.prompt("Column of the amount (or PRICE*QUANTITY)"))
            text = text or typer.prompt("Column of a description (Enter: none)", default="")
            invoice_id = invoice_id or typer.prompt(
                "Column of the invoice (Enter: none)", default=""
            )
        price, _, quantity = amount.partition("*")
        factors = {"price": price.strip(), "quantity": quantity.strip()}
        transactions["columns"] = {
            "client_id": client_id,
            "timestamp": timestamp,
            **(factors if quantity else {"amount": amount}),
            "text": text,
            "invoice_id": invoice_id,
        }
    day = as_of or typer.prompt(
        "Date of the first run, the day after the last day of data (YYYY-MM-DD)",
        value_proc=read_day,
    )
    print_each(begin(folder, transactions | {"adapter": adapter}, as_of=day))


@command(Panel.DATA)
def check() -> None:
    """Check settings, source, git, DVC and disk, and show what to do next."""
    from evergreen.lifecycle.check import check as check_all  # noqa: PLC0415
    from evergreen.lifecycle.lock import exclusive  # noqa: PLC0415

    failed = False
    with exclusive():
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
            help=f"Ingest this demo data set: {', '.join(get_args(Demo))}.",
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
) -> None:
    """Ingest new rows of the source into data/raw, checked and partitioned by day."""
    from evergreen.ingestion.ingest import ingest_new_rows  # noqa: PLC0415
    from evergreen.lifecycle.lock import exclusive  # noqa: PLC0415
    from evergreen.settings.loading import load_settings  # noqa: PLC0415

    settings = load_settings()
    with exclusive(), progress_bar("ingest") as progress:
        print_each(ingest_new_rows(settings, demo=demo, through=through, progress=progress))
    config = paths.CONFIGS / f"{demo}.yaml"
    if demo and config.is_file() and settings.source.demo != demo:
        console.print(f"{demo} has its own settings: evergreen init ../{demo} --demo {demo}")


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
