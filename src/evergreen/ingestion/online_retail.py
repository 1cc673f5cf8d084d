"""Adapter for UCI Online Retail II: the official workbook, or a CSV or Parquet of it.

Two years of a British online shop for gifts, as invoice lines. What to know about it:

- 243,007 lines name no client: nothing can be learned about a client from them.
- Its two sheets overlap from 2010-12-01 to 2010-12-09; if they were put together in one file, the
  second begins where the dates step back. Equal lines within a sheet are separate sales.
- Invoices that begin with C are returns: their quantities, so their amounts, are negative.
- Prices of zero or below are gifts, tests and bad debts, not sales.
- Some stock codes are not products: postage (POST, DOT, C2), discounts (D), fees, corrections (M).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evergreen.errors import DataError
from evergreen.ingestion import mapping
from evergreen.ingestion.cells import scientific_sql
from evergreen.ingestion.conversion import Check
from evergreen.settings.sources import TransactionColumns

if TYPE_CHECKING:
    from evergreen.ingestion.conversion import Conversion
    from evergreen.ingestion.inputs import Input
    from evergreen.ingestion.mapping import CellRules

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


def columns_of(rows: Input) -> TransactionColumns:
    """Which of the names in use an input has.

    Raises
    ------
    DataError
        If it lacks a column under any of its names.
    """
    return TransactionColumns(
        **{role: _header(rows, names) for role, names in NAMES.items() if role != "stock_code"}
    )


def _header(rows: Input, names: tuple[str, ...]) -> str:
    header = next((name for name in names if name in rows.headers), None)
    if header is None:
        raise DataError(
            f"{rows.name} lacks a column {' or '.join(map(repr, names))} of Online Retail II "
            f"(found: {', '.join(rows.headers)}); nothing was changed",
            "map the columns in params.yaml instead of naming the adapter",
        )
    return header


def convert(
    rows: Input, columns: TransactionColumns, rules: CellRules, *, minor_units: int
) -> Conversion:
    """The canonical columns; what is not the sale of a product to a client is excluded."""
    conversion = mapping.transactions(rows, columns, rules, minor_units=minor_units)
    client_id = str(columns.client_id)
    client = f"c{rows.column(client_id)}"
    stock_code = _header(rows, NAMES["stock_code"])
    code = f"c{rows.column(stock_code)}"
    no_product = f"not coalesce(regexp_matches({code}, '{PRODUCT}'), false)"
    excluded = [
        (
            client_id,
            client,
            f"client_id is null and not coalesce({scientific_sql(client)}, false)",
            "no client id",
        ),
        (str(columns.price), "price", "price <= 0", "price of zero or below"),
        (stock_code, code, no_product, "stock code is not a product"),
    ]
    conversion.checks[:0] = [Check(*check, excluded=True) for check in excluded]
    conversion.two_sheets = True
    return conversion
