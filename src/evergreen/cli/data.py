"""Commands about data: take it in, simulate it, check it, score it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import Annotated

import typer

from evergreen.cli.app import (
    DATE_FORMAT,
    AsOf,
    app,
    console,
    date_option,
    progress_bar,
)
from evergreen.settings import paths


class Demo(StrEnum):
    """Data sets that need no download."""

    COMPLETE_JOURNEY = "complete-journey"
    CDNOW = "cdnow"
    SIMULATED = "simulated"


@app.command()
def ingest(
    demo: Annotated[
        Demo | None,
        typer.Option(help="A demo data set to take in; by default what params.yaml names."),
    ] = None,
    through: Annotated[
        datetime | None,
        date_option("The last day to take in; the day before as_of by default."),
    ] = None,
) -> None:
    """Append new rows of a source to data/raw, checked and partitioned by day."""
    from evergreen.ingestion.ingest import ingest_new_rows  # noqa: PLC0415
    from evergreen.lifecycle.lock import exclusive  # noqa: PLC0415 - each command loads its own
    from evergreen.settings.loading import load_settings  # noqa: PLC0415

    settings = load_settings()
    with exclusive(), progress_bar() as progress:
        task = progress.add_task("ingest", total=None)
        for line in ingest_new_rows(
            settings,
            demo=demo.value if demo else None,
            through=through.date() if through else None,
            progress=lambda days, total: progress.update(task, completed=days, total=total),
        ):
            console.print(line)
    made_for_it = paths.CONFIGS / f"{demo}.yaml"
    if demo and made_for_it.is_file() and settings.source.demo != demo:
        console.print(f"{demo}: settings made for it: cp {made_for_it} {paths.PARAMS}")


@dataclass(frozen=True)
class Drift:
    """From which day on, and by how much, simulated segments behave otherwise."""

    on: date
    size: float

    @classmethod
    def parse(cls, value: str) -> Drift:
        """Read DATE:SIZE."""
        day, _, size = value.partition(":")
        try:
            return cls(datetime.strptime(day, DATE_FORMAT).date(), float(size))
        except ValueError:
            raise typer.BadParameter(
                f"{value!r} is not DATE:SIZE, such as 2017-07-01:0.5"
            ) from None


@app.command()
def simulate(
    out: Annotated[Path, typer.Option(help="The folder to write; must not exist.")],
    *,
    clients: Annotated[int | None, typer.Option(help="How many there are in all.")] = None,
    days: Annotated[int | None, typer.Option(help="How many to simulate.")] = None,
    start: Annotated[
        datetime | None,
        date_option("The first day."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The only source of randomness.")] = None,
    drift: Annotated[
        Drift | None,
        typer.Option(
            parser=Drift.parse,
            metavar="DATE:SIZE",
            help="From which day on, and by how much, segments behave otherwise.",
        ),
    ] = None,
    strategy_change: Annotated[
        datetime | None,
        date_option("From which day on prices, assortment and clientele are others."),
    ] = None,
) -> None:
    """Simulate a retailer whose true probabilities are known; params.yaml says what else."""
    from evergreen.settings.loading import load_settings, with_simulation  # noqa: PLC0415
    from evergreen.simulation.files import write_simulation  # noqa: PLC0415

    chosen = {
        "clients": clients,
        "days": days,
        "start": start.date() if start else None,
        "seed": seed,
        "drift_on": drift.on if drift else None,
        "drift_size": drift.size if drift else None,
        "strategy_change_on": strategy_change.date() if strategy_change else None,
    }
    given = {name: value for name, value in chosen.items() if value is not None}
    for line in write_simulation(with_simulation(load_settings(), given), out):
        console.print(line)


@app.command()
def check() -> None:
    """Examine configuration, source, git, DVC and disk: what is fine, and what to do next."""
    from evergreen.lifecycle.check import check as examine  # noqa: PLC0415
    from evergreen.lifecycle.lock import exclusive  # noqa: PLC0415

    with exclusive():
        found = []
        for finding in examine():
            console.print(str(finding))
            found.append(finding)
    if any(finding.next_step for finding in found):
        raise typer.Exit(code=1)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="The repository to make.")],
    *,
    files: Annotated[str | None, typer.Option(help="Your files, as a glob.")] = None,
    url_env: Annotated[
        str | None, typer.Option(help="Instead: the variable that holds a database's URL.")
    ] = None,
    table: Annotated[str | None, typer.Option(help="The table of the database.")] = None,
    adapter: Annotated[
        str | None, typer.Option(help="For files of a known kind, instead of columns.")
    ] = None,
    client_id: Annotated[str | None, typer.Option(help="The column of the client.")] = None,
    timestamp: Annotated[str | None, typer.Option(help="The column of the date.")] = None,
    amount: Annotated[
        str | None, typer.Option(help="The column of the amount, or PRICE*QUANTITY.")
    ] = None,
    text: Annotated[str | None, typer.Option(help="The column of a description.")] = None,
    invoice_id: Annotated[str | None, typer.Option(help="The column of the invoice.")] = None,
    as_of: Annotated[
        datetime | None,
        date_option("The date of the first run: one after the last day of data."),
    ] = None,
) -> None:
    """Make a repository for your own data from this one; asks for what is not given."""
    from evergreen.lifecycle.init import begin  # noqa: PLC0415

    if files is None and url_env is None:
        files = typer.prompt("Files, as a glob (or $NAME, a variable with a database's URL)")
        if str(files).startswith("$"):
            files, url_env = None, str(files)[1:]
    if url_env is not None:
        table = table or typer.prompt("Table of the database")
    transactions: dict[str, object] = {"files": files, "url_env": url_env, "table": table}
    if adapter is None:
        client_id = client_id or typer.prompt("Column of the client")
        timestamp = timestamp or typer.prompt("Column of the date")
        if amount is None:
            amount = str(typer.prompt("Column of the amount (or PRICE*QUANTITY)"))
            text = text or typer.prompt("Column of a description (none: return)", default="")
            invoice_id = invoice_id or typer.prompt("Column of the invoice (none)", default="")
        price, _, quantity = amount.partition("*")
        each = {"price": price.strip(), "quantity": quantity.strip()}
        transactions["columns"] = {
            "client_id": client_id,
            "timestamp": timestamp,
            **(each if quantity else {"amount": amount}),
            "text": text,
            "invoice_id": invoice_id,
        }
    day = as_of or typer.prompt(
        "Date of the first run, one after the last day of data (YYYY-MM-DD)",
        value_proc=_day,
    )
    for line in begin(folder, transactions | {"adapter": adapter}, as_of=day.date()):
        console.print(line)


def _day(given: str) -> datetime:
    try:
        return datetime.strptime(given, DATE_FORMAT)
    except ValueError:
        raise typer.BadParameter(f"{given!r} is no date such as 2024-04-01") from None


@app.command()
def score(
    as_of: AsOf,
    clients: Annotated[
        Path | None,
        typer.Option(help="CSV or Parquet with client_id; all known clients by default."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The .parquet or .csv to write.", show_default="build/scores-DATE"),
    ] = None,
    to_sql: Annotated[
        str | None,
        typer.Option(
            metavar="URL_ENV:TABLE",
            help="A table too; URL_ENV is the variable that holds the database's URL.",
        ),
    ] = None,
) -> None:
    """Score clients with the release that is served."""
    from evergreen.serving import batch  # noqa: PLC0415
    from evergreen.serving.release import load_release  # noqa: PLC0415
    from evergreen.serving.sql_table import SqlTable  # noqa: PLC0415
    from evergreen.settings.loading import load_settings  # noqa: PLC0415

    try:
        table = SqlTable.parse(to_sql) if to_sql else None
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--to-sql") from None
    day = as_of.date()
    target = out or paths.BUILD / f"scores-{day}.parquet"
    served = load_release()
    with progress_bar() as progress:
        task = progress.add_task("score", total=None)
        done = batch.score(
            served,
            load_settings(),
            day,
            target,
            clients=clients,
            to_sql=table,
            progress=lambda n, total: progress.update(task, completed=n, total=total),
        )
    new = f", {done.new:,} of them new: nothing is known of them" if done.new else ""
    console.print(f"{done.clients:,} clients{new}; release {served.version}: {target}")
    if table is not None:
        console.print(f"the same rows: table {table.table} of the database of {table.variable}")
