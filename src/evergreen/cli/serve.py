"""Commands that predict with the release in production: for a file or table, and over HTTP."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evergreen.cli.app import (
    AsOf,
    Command,
    LightCommand,
    Panel,
    command,
    console,
    progress_bar,
)
from evergreen.errors import missing_extra
from evergreen.settings import paths

if TYPE_CHECKING:
    from evergreen.serving.sql_table import SqlTable


class ServeCommand(Command):
    """A command for machines that hold a release and no repository."""

    extra = "serve"
    repository = False
    after_stop = ""


@command(Panel.SERVE, cls=LightCommand)
def score(
    as_of: AsOf,
    clients: Annotated[
        Path | None,
        typer.Option(
            help="Score the clients in this CSV or Parquet file (column client_id).",
            show_default="all clients",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write to this .parquet or .csv file.", show_default="build/scores-DATE.parquet"
        ),
    ] = None,
    to_sql: Annotated[
        str | None,
        typer.Option(
            metavar="URL_ENV:TABLE",
            help="Write to a table as well; the environment variable URL_ENV holds the URL of "
            "the database.",
        ),
    ] = None,
) -> None:
    """Score clients with the release in production."""
    from evergreen.serving import batch  # noqa: PLC0415 - each command loads its own
    from evergreen.serving.release import load_release  # noqa: PLC0415
    from evergreen.settings.loading import load_settings  # noqa: PLC0415

    table = _sql_table(to_sql) if to_sql else None
    target = out or paths.BUILD / f"scores-{as_of}.parquet"
    release = load_release()
    with progress_bar("score") as progress:
        outcome = batch.score(
            release,
            load_settings(),
            as_of,
            target,
            clients=clients,
            to_sql=table,
            progress=progress,
        )
    new = f", {outcome.new:,} of them new (without events)" if outcome.new else ""
    console.print(f"{outcome.clients:,} clients{new}; release {release.version}: {target}")
    if table is not None:
        console.print(f"the same rows: table {table.table} of the database in {table.variable}")


def _sql_table(text: str) -> SqlTable:
    try:
        from evergreen.serving.sql_table import SqlTable  # noqa: PLC0415
    except ModuleNotFoundError:
        raise missing_extra("evergreen score --to-sql", "postgresql") from None
    try:
        return SqlTable.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--to-sql") from None


@command(Panel.SERVE, cls=ServeCommand)
def serve(
    host: Annotated[
        str,
        typer.Option(
            help="Listen on this address; any other than localhost needs EVERGREEN_API_KEY."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=1, max=65535, metavar="N", help="Listen on this port.")
    ] = 8000,
    max_mib: Annotated[
        int, typer.Option(min=1, max=1024, metavar="N", help="Limit an upload to this many MiB.")
    ] = 32,
    max_rows: Annotated[
        int, typer.Option(min=1, metavar="N", help="Limit a request to this many rows.")
    ] = 500_000,
    max_seconds: Annotated[
        int,
        typer.Option(min=1, max=3600, metavar="N", help="Limit a request to this many seconds."),
    ] = 60,
    workers: Annotated[
        int, typer.Option(min=1, metavar="N", help="Serve with this many processes.")
    ] = 1,
) -> None:
    """Serve the release in production over HTTP, with an upload page at /."""
    from evergreen.serving.http.limits import RequestLimits  # noqa: PLC0415
    from evergreen.serving.http.server import serve as serve_until_stopped  # noqa: PLC0415

    process = " %(process)d" if workers > 1 else ""
    logging.basicConfig(
        level=logging.INFO, format=f"%(asctime)s{process} %(levelname)s %(message)s"
    )
    serve_until_stopped(host, port, RequestLimits(max_mib, max_rows, max_seconds), workers)
