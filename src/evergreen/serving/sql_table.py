"""Write scores to a database table with SQLAlchemy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, Self

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from evergreen.errors import DataError
from evergreen.ingestion.connections import error_text, open_database

ID_CHARACTERS = 255
KEYS = ("client_id", "observed_on")


class SqlTable(NamedTuple):
    """A table, and the environment variable that holds the URL of its database."""

    variable: str
    table: str

    @classmethod
    def parse(cls, value: str) -> Self:
        """Read URL_ENV:TABLE.

        Raises
        ------
        ValueError
            If it is anything else. The message does not repeat the value: it may be the URL itself.
        """
        if not re.fullmatch(r"[A-Za-z_]\w*:[A-Za-z_]\w*", value, re.ASCII):
            raise ValueError(
                "expected VARIABLE:TABLE, such as SCORES_URL:scores; the URL itself, with its "
                "password, belongs in the environment"
            )
        return cls(*value.split(":"))


@contextmanager
def scores_table(to: SqlTable, schema: pa.Schema) -> Iterator[Callable[[pa.Table], None]]:
    """Open a table for scores, in one transaction; create it if it does not exist.

    Yields
    ------
    callable
        Writes the next batch of rows. Rows of the same client and date are replaced, so scoring a
        date again leaves one row for each client.

    Raises
    ------
    DataError
        If the variable holds no URL, or the database refuses. Then nothing has changed.
    """
    engine = open_database(to.variable)
    try:
        table = _table(to.table, schema)
        with engine.begin() as connection:
            table.create(connection, checkfirst=True)
            yield lambda batch: _write(connection, table, batch)
        engine.dispose()
    except SQLAlchemyError as error:
        raise DataError(
            f"the database in {to.variable} refuses table {to.table}: {error_text(engine, error)}",
            "check the variable, the driver and the table's columns",
        ) from None


def _table(name: str, schema: pa.Schema) -> sa.Table:
    columns = [
        sa.Column(field.name, _type_of(field), primary_key=field.name in KEYS) for field in schema
    ]
    return sa.Table(name, sa.MetaData(), *columns)


def _type_of(field: pa.Field) -> sa.Date | sa.Double[float] | sa.String:
    if pa.types.is_date(field.type):
        return sa.Date()
    return sa.Double() if pa.types.is_floating(field.type) else sa.String(ID_CHARACTERS)


def _write(connection: sa.Connection, table: sa.Table, batch: pa.Table) -> None:
    rows = batch.to_pylist()
    if not rows:
        return
    same_day = table.c.observed_on == rows[0]["observed_on"]
    if connection.execute(sa.select(sa.exists().where(same_day))).scalar():
        same_client = sa.and_(same_day, table.c.client_id == sa.bindparam("id"))
        connection.execute(
            sa.delete(table).where(same_client), [{"id": r["client_id"]} for r in rows]
        )
    connection.execute(sa.insert(table), rows)
