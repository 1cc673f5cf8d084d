"""Amounts are in one currency: rows in others are excluded by a setting, or all are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evergreen.errors import DataError
from evergreen.ingestion.staging import OTHER_CURRENCY
from evergreen.settings.currencies import CODES, currency_code, spellings
from evergreen.store import sql

if TYPE_CHECKING:
    from collections.abc import Collection

    import duckdb

    from evergreen.ingestion.sources import RawTable

MORE_THAN_ONE = 2


def keep_currency(con: duckdb.DuckDBPyConnection, kept: str) -> None:
    """Exclude the good rows in other currencies; a symbol of several may be the one kept."""
    written = ", ".join(map(sql.literal, sorted(spellings(kept))))
    con.execute(
        f"""
        update incoming set
            status = if(currency in ({written}), status, {OTHER_CURRENCY}),
            currency = if(currency in ({written}), {sql.literal(kept)}, currency)
        where status = 0 and currency is not null
        """
    )


def check_currency(
    con: duckdb.DuckDBPyConnection, table: RawTable, earlier: Collection[str], kept: str | None
) -> None:
    """Stop if amounts are in more than one currency.

    Parameters
    ----------
    earlier
        The currency of the amounts ingested earlier, if it is known.
    kept
        The currency that the settings name; the others are excluded already.

    Raises
    ------
    DataError
        With the number of rows of each.
    """
    same = spellings(kept) if kept else frozenset()
    counts = dict(_currencies(con))
    earlier = {currency_code(code) or code for code in earlier}
    if len(counts.keys() | {kept if code in same else code for code in earlier}) < MORE_THAN_ONE:
        return
    listed = ", ".join(f"{count:,} in {currency}" for currency, count in counts.items())
    problem = (
        f"amounts are in {len(counts)} currencies ({listed})"
        if len(counts) > 1
        else f"amounts are in another currency ({listed}) than those ingested earlier, which are "
        f"in {', '.join(sorted(earlier))}"
    )
    code = next((currency for currency in counts if currency in CODES), "EUR")
    raise DataError(
        f"{table.label}: {problem}; nothing was changed",
        f"set `currency: {code}` in `data` of params.yaml to keep that one and exclude the others, "
        "and `currency` in `columns` if another column has it; or exclude rows with `where`",
    )


def currency_of(con: duckdb.DuckDBPyConnection) -> str | None:
    """The currency of the amounts, where it is known."""
    return next((currency for currency, _ in _currencies(con)), None)


def _currencies(con: duckdb.DuckDBPyConnection) -> list[tuple[str, int]]:
    return con.sql(
        "select currency, count(*) as rows from incoming where status = 0 and currency is not null "
        "group by currency order by rows desc, currency"
    ).fetchall()
