"""Adapter for UCI Online Retail II: the official workbook, or a CSV or Parquet of it.

Two years of a British online shop for gifts, as invoice lines. What has to be known of it:

- 243,007 lines name no client: nothing can be learned of a client from them.
- Its two sheets overlap from 2010-12-01 to 2010-12-09; where they were put together in one file,
  the second begins where the dates step back. Equal lines within a sheet are sales of their own.
- Invoices that begin with C are returns: their quantities, so their amounts, are negative.
- Prices of zero or below are gifts, tests and bad debts, not sales.
- Stock codes that are no products: postage (POST, DOT, C2), discounts (D), fees, corrections (M).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evergreen.errors import DataError
from evergreen.ingestion import mapping
from evergreen.ingestion.conversion import Check, trimmed_sql
from evergreen.settings.sources import TransactionColumns

if TYPE_CHECKING:
    import duckdb

    from evergreen.ingestion.conversion import Conversion
    from evergreen.ingestion.inputs import Input
    from evergreen.ingestion.mapping import Formats

NAMES = {
    "client_id": ("Customer ID", "CustomerID", "client_id"),
    "timestamp": ("InvoiceDate", "timestamp"),
    "price": ("Price", "UnitPrice", "unit_price"),
    "quantity": ("Quantity", "quantity"),
    "text": ("Description", "text"),
    "invoice_id": ("Invoice", "InvoiceNo", "invoice_id"),
    "stock_code": ("StockCode", "stock_code"),
}
HEADERS = [name for names in NAMES.values() for name in names]
PRODUCT = r"^(\d{5}|DCGS|PADS|SP1002)"
SECOND_SHEET = 1_000_000
"""Added to the number of a part for the rows of its second sheet."""


def columns_of(part: Input) -> TransactionColumns:
    """Which of the names in use a part has.

    Raises
    ------
    DataError
        If it lacks a column under any of its names.
    """
    return TransactionColumns(
        **{role: _header(part, names) for role, names in NAMES.items() if role != "stock_code"}
    )


def _header(part: Input, names: tuple[str, ...]) -> str:
    found = next((name for name in names if name in part.headers), None)
    if found is None:
        raise DataError(
            f"{part.name} lacks a column {' or '.join(map(repr, names))} of Online Retail II "
            f"(found: {', '.join(part.headers)}); nothing was changed",
            "map the columns in params.yaml instead of naming the adapter",
        )
    return found


def convert(
    part: Input, columns: TransactionColumns, formats: Formats, *, decimal: str, minor_units: int
) -> Conversion:
    """The canonical columns of a part; what is no sale of a product to a client is left out."""
    made = mapping.transactions(part, columns, formats, decimal=decimal, minor_units=minor_units)
    client = f"c{part.column(columns.client_id)}"
    trimmed = trimmed_sql(client)
    made.columns["client_id"] = f"if(ends_with({trimmed}, '.0'), {trimmed}[:-3], {trimmed})"
    stock_code = _header(part, NAMES["stock_code"])
    code = f"c{part.column(stock_code)}"
    made.checks = [
        Check(columns.client_id, client, "client_id is null", "no client id", left_out=True),
        Check(
            str(columns.price), "price", "price <= 0", "price of zero or below", left_out=True
        ),
        Check(
            stock_code, code, f"not coalesce(regexp_matches({code}, '{PRODUCT}'), false)",
            "stock code is not a product", left_out=True,
        ),
        *made.checks,
    ]  # fmt: skip
    return made


def part_sheets(con: duckdb.DuckDBPyConnection) -> None:
    """Number the rows of a second sheet in the same file as a part of their own."""
    con.execute(
        """
        create or replace temp table second_sheets as
        select part, min(line) as first_line from (
            select part, line, timestamp::date < max(timestamp::date) over (
                partition by part order by line rows between unbounded preceding and 1 preceding
            ) as steps_back
            from incoming where status = 0
        ) where steps_back group by part
        """
    )
    con.execute(
        f"""
        update incoming set part = incoming.part + {SECOND_SHEET} from second_sheets s
        where incoming.part = s.part and incoming.line >= s.first_line
        """
    )
