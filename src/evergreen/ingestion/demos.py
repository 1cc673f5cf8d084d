"""The demo data sets as sources: their rows are in the canonical columns already."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from evergreen.core.events import transactions
from evergreen.ingestion import cdnow, complete_journey
from evergreen.ingestion.conversion import Check, Conversion
from evergreen.ingestion.inputs import sql_input
from evergreen.ingestion.sources import OpenedSource, RawTable
from evergreen.settings import paths
from evergreen.store import tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import duckdb

    from evergreen.core.events.transactions import Rule
    from evergreen.settings.pipeline import Settings

    Rows = Callable[[duckdb.DuckDBPyConnection], duckdb.DuckDBPyRelation]

PACKAGED_DEMOS: dict[str, Callable[[duckdb.DuckDBPyConnection, int], duckdb.DuckDBPyRelation]] = {
    "complete-journey": complete_journey.rows,
    "cdnow": cdnow.rows,
}
"""The demos in installed packages, given a connection and the number of minor units of money."""
NOTE_RULES = tuple(map(transactions.missing, ("client_id", "timestamp", "text")))


def raw_tables(demo: str, settings: Settings) -> Iterator[RawTable]:
    """The tables of a demo; the simulated retailer has notes as well as transactions."""
    if demo in PACKAGED_DEMOS:
        minor_units = settings.data.minor_units
        yield _transactions(demo, lambda con: PACKAGED_DEMOS[demo](con, minor_units))
        return
    from evergreen.simulation.retailer import simulate  # noqa: PLC0415 - it loads SciPy

    retailer = simulate(settings.source.simulation)
    yield _transactions(demo, lambda con: con.from_arrow(retailer.transactions))
    yield RawTable(
        name="notes",
        label=f"{demo} notes",
        folder=paths.NOTES,
        schema=tables.NOTES,
        complete=False,
        by_day=True,
        open=partial(
            _open, f"{demo} notes", NOTE_RULES, lambda con: con.from_arrow(retailer.notes)
        ),
    )


def _transactions(demo: str, rows: Rows) -> RawTable:
    return RawTable(
        name="transactions",
        label=demo,
        folder=paths.TRANSACTIONS,
        schema=transactions.SCHEMA,
        complete=True,
        by_day=True,
        open=partial(_open, demo, transactions.RULES, rows),
    )


def _open(
    label: str, rules: Sequence[Rule], rows: Rows, con: duckdb.DuckDBPyConnection
) -> list[OpenedSource]:
    relation = rows(con)
    relation.create_view("demo_rows")
    cells = {name: f"c{number}" for number, name in enumerate(relation.columns)}
    listed = ", ".join(f"{name} as {cell}" for name, cell in cells.items())
    columns = cells | {"day": "ingested_on"}
    if "invoice_id" in cells:
        columns["invoice_id"] = transactions.invoice_id(cells["invoice_id"])
    checks = [Check(rule.column, cells[rule.column], rule.fails, rule.reason) for rule in rules]
    rows_as_cells = sql_input(con, label, relation.columns, f"select {listed} from demo_rows")
    mapped = [(rows_as_cells, Conversion(columns, checks))]
    return [OpenedSource(label, mapped, [], lambda _: None)]
