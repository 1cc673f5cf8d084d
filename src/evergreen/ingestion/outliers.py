"""Amounts far beyond all others: a barcode in the price field, a lost decimal point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq

from evergreen.core.events.loss_scale import CAP_QUANTILE, CAP_RANK, shared_maximum
from evergreen.ingestion.corrections import ACCEPTED, CORRECTION
from evergreen.ingestion.redaction import shown
from evergreen.settings import paths
from evergreen.store import files, sql, tables

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    import duckdb

FACTOR = 1000
LOOKED_AT = 10_000
SHOWN = 3
WARNING = "warning: "
"""Begins a line about rows that were accepted and may be wrong all the same."""
PLACES = paths.QUARANTINE / "outliers.json"
"""The amount in minor units by source and line, so that `evergreen check` can name them later."""


class _Usual(NamedTuple):
    """An amount in minor units that the rest of the amounts hardly exceed."""

    amount: float
    meaning: str


def incoming_outliers(
    con: duckdb.DuckDBPyConnection, folder: Path, through: date, minor_units: int
) -> list[str]:
    """Report the rows about to be ingested whose amount is far beyond all others, a line each.

    An amount is an outlier if it is more than 1,000 times the 99.9 % quantile of all amounts, or
    the tenth-largest of the clients' largest amounts, whichever is smaller. Returns count by their
    size.

    Parameters
    ----------
    con
        A connection with ``incoming``, ``verdicts`` and ``inputs``.
    folder
        The raw table so far.
    """
    rows = f"""
        select client_id, abs(amount_minor) as size, amount_minor, source, line
        from incoming join inputs using (input) left join verdicts using (input, line)
        where status = 0 and day <= date '{through}'
            and coalesce(verdict, '{ACCEPTED}') in ('{ACCEPTED}', '{CORRECTION}')
    """
    stored = list(tables.partitions(folder).values())
    if _all_usual(con, rows, stored):
        return []
    amounts = f"select client_id, size from ({rows})"
    if stored:
        amounts += f" union all {_sizes(stored)}"
    usual, outliers = _outliers(con, amounts, rows, "source, line")
    places = [(f"{source}, line {line}", amount) for _, _, amount, source, line in outliers]
    if places:
        files.write_json(_places() | dict(places), PLACES, shared=True)
    return _lines(places, usual, minor_units)


def _sizes(files: list[Path]) -> str:
    return f"select client_id, abs(amount_minor) as size from {sql.parquet(files)}"


def _all_usual(con: duckdb.DuckDBPyConnection, rows: str, stored: list[Path]) -> bool:
    """Whether the newest rows prove that no amount is an outlier, so that most need no look.

    They do if enough amounts of enough clients are at least a thousandth of the largest new one.
    """
    [(largest, count)] = con.sql(f"select max(size), count(*) from ({rows})").fetchall()
    if largest is None:
        return True
    total = count + sum(pq.read_metadata(path).num_rows for path in stored)
    enough = (1 - CAP_QUANTILE) * total + 2
    looked_at, newest = f"select client_id, size from ({rows})", 0
    while True:
        large = f"from ({looked_at}) where size >= {largest} / {FACTOR}"
        [(count,)] = con.sql(f"select count(*) {large}").fetchall()
        clients = con.sql(f"select client_id {large} limit {LOOKED_AT}").fetchall()
        if count >= enough and len(set(clients)) >= CAP_RANK:
            return True
        if newest >= len(stored):
            return False
        newest = max(1, 8 * newest)
        looked_at = f"select client_id, size from ({rows}) union all {_sizes(stored[-newest:])}"


def stored_outliers(con: duckdb.DuckDBPyConnection, minor_units: int) -> list[str]:
    """Report the outliers of the view ``transactions``, as `incoming_outliers` does.

    A row that was reversed since counts no more. The source and the line are known where this
    machine ingested the row, otherwise the client and the day.
    """
    rows = """
        select client_id, abs(amount_minor) as size, sign(sum(amount_minor))::bigint * size,
               timestamp::date as day
        from transactions group by client_id, day, size having sum(amount_minor) <> 0
    """
    usual, outliers = _outliers(con, f"select client_id, size from ({rows})", rows, "day")
    by_amount = {amount: place for place, amount in _places().items()}
    places = [
        (by_amount.pop(amount, f"client {shown(client) or '(id not shown)'} on {day}"), amount)
        for client, _, amount, day in outliers
    ]
    return _lines(places, usual, minor_units)


def _outliers(
    con: duckdb.DuckDBPyConnection, amounts: str, rows: str, order: str
) -> tuple[_Usual, list[tuple[Any, ...]]]:
    """What is usual of `amounts` (client_id, size), and the `rows` far beyond that."""
    [(quantile,)] = con.sql(
        f"select quantile_disc(size, {CAP_QUANTILE}) from ({amounts})"
    ).fetchall()
    maxima: list[tuple[int]] = []
    for least in (quantile or 0, 0):  # the largest are mostly those of the few rows above it
        if len(maxima) < CAP_RANK:
            maxima = con.sql(
                f"""
                select max(size) as largest from ({amounts}) where size > {least}
                group by client_id order by largest desc limit {CAP_RANK}
                """
            ).fetchall()
    usual = min(
        _Usual(quantile or np.inf, "the 99.9 % quantile of all amounts"),
        _Usual(
            shared_maximum(np.array(maxima, dtype=np.float64).ravel()) or np.inf,
            "the tenth-largest client maximum"
            if len(maxima) == CAP_RANK
            else "the median client maximum",
        ),
    )
    limit = FACTOR * usual.amount
    if not np.isfinite(limit):
        return usual, []
    found = con.sql(f"from ({rows}) where size > {limit} order by size desc, {order}")
    return usual, found.fetchall()


def _lines(places: list[tuple[str, int]], usual: _Usual, minor_units: int) -> list[str]:
    digits = len(str(minor_units)) - 1
    named = [
        f"{place}: amount {amount / minor_units:,.{digits}f} is {_factor(amount, usual)} times "
        f"{usual.meaning} ({usual.amount / minor_units:,.{digits}f}); check it, or exclude it"
        for place, amount in places[:SHOWN]
    ]
    more = len(places) - len(named)
    return named + ([f"{more:,} more amounts are as far beyond {usual.meaning}"] if more else [])


def _factor(amount: int, usual: _Usual) -> str:
    """The factor with two digits that count."""
    return f"{float(f'{abs(amount) / usual.amount:.1e}'):,.0f}"


def _places() -> dict[str, int]:
    places: dict[str, int] = (
        files.read_json(PLACES, next_step=f"remove {PLACES}") if PLACES.is_file() else {}
    )
    return places
