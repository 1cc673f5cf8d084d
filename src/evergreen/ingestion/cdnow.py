"""CDNOW: the cohort that first bought at a music retailer in the first quarter of 1997.

23,570 clients who shop seldom, until June 1998, without any text; published by Fader and Hardie,
and the reference data set of the literature on "buy till you die" models. The file comes with the
Python package ``lifetimes`` (MIT licence), which is no longer maintained: it is read, and never
imported.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING

import pandas as pd

from evergreen.errors import DataError, missing_extra

if TYPE_CHECKING:
    import duckdb

PUBLISHED = {"transactions": 69_659, "clients": 23_570}
"""Counts as published, so that a damaged or changed package is noticed."""

FILE = "lifetimes/datasets/CDNOW_master.txt"


def rows(con: duckdb.DuckDBPyConnection, minor_units: int) -> duckdb.DuckDBPyRelation:
    """All transactions in the canonical columns.

    80 amounts are 0: CDs that cost nothing are not a purchase, but the client is known from then
    on. Invoices have no number: all of a client's rows of one day are one invoice. A row became
    known on its own date.

    Raises
    ------
    DataError
        If the file's counts are not the published ones.
    """
    try:
        path = str(distribution("lifetimes").locate_file(FILE))
    except PackageNotFoundError:
        raise missing_extra("the demo cdnow", "demo") from None
    con.register("cdnow_lines", pd.read_csv(path, sep=r"\s+", dtype=str))
    _check_counts(con)
    return con.sql(
        f"""
        select customer_id as client_id,
               strptime(date, '%Y%m%d')::timestamp as timestamp,
               round(dollar_value::decimal(12, 2) * {minor_units})::bigint as amount_minor,
               number_of_cds::double as quantity,
               null::varchar as text,
               null::varchar as invoice_id,
               strptime(date, '%Y%m%d')::date as ingested_on
        from cdnow_lines
        """
    )


def _check_counts(con: duckdb.DuckDBPyConnection) -> None:
    [counts] = con.sql("select count(*), count(distinct customer_id) from cdnow_lines").fetchall()
    installed = dict(zip(PUBLISHED, counts, strict=True))
    if installed != PUBLISHED:
        raise DataError(
            f"{FILE} holds {installed}, published are {PUBLISHED}",
            "pip install --force-reinstall --no-deps lifetimes==0.11.3",
        )
