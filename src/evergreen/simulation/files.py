"""Write a simulated retailer as files: what is observable, and the ground truth for models."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from evergreen.core.events import transactions
from evergreen.core.events.ledger import create_ledger
from evergreen.core.events.snapshots import create_snapshots
from evergreen.errors import DataError
from evergreen.settings import paths
from evergreen.settings.pipeline import Settings
from evergreen.settings.simulation import Simulation
from evergreen.simulation.retailer import SimulatedRetailer, simulate
from evergreen.store import files, tables

if TYPE_CHECKING:
    import pyarrow as pa


def write_simulation(settings: Settings, out: Path) -> Iterator[str]:
    """Write the retailer of ``source.simulation`` into a new folder.

    ``transactions.parquet`` and ``notes.parquet`` in the canonical columns; ``truth.parquet``:
    client_id, observed_on, and for each target the best possible prediction; and
    ``simulation.json``, the settings.

    Yields
    ------
    str
        What was written, a line each.

    Raises
    ------
    DataError
        If the folder exists.
    """
    if out.exists():
        raise DataError(f"{out} already exists, expected a new folder", "another --out")
    simulation = settings.source.simulation
    retailer = simulate(simulation)
    truth = _truth(settings, retailer)
    tables.write(retailer.transactions.cast(transactions.SCHEMA), out / "transactions.parquet")
    tables.write(retailer.notes.cast(tables.NOTES), out / "notes.parquet")
    tables.write(truth, out / "truth.parquet")
    files.write_json(simulation.model_dump(mode="json"), out / "simulation.json")
    yield from _summary(retailer)
    means = ", ".join(f"{name} {pc.mean(truth[name]).as_py():.4g}" for name in settings.targets)
    yield f"the best possible predictions for {truth.num_rows:,} snapshots, on average: {means}"
    yield (
        f"written to {out}; to run the loop on this retailer, set source.demo: simulated in "
        f"{paths.PARAMS}, and source.simulation to the settings in simulation.json"
    )


def _summary(retailer: SimulatedRetailer) -> Iterator[str]:
    simulation = retailer.settings
    clients = pc.count_distinct(retailer.transactions["client_id"]).as_py()
    yield (
        f"{simulation.start} to {_last_day(simulation)}: "
        f"{retailer.transactions.num_rows:,} transactions of {clients:,} clients, "
        f"{retailer.notes.num_rows:,} notes on them"
    )
    if simulation.drift_size:
        yield f"{simulation.drift_on}: a drift of size {simulation.drift_size:g}"
    if simulation.strategy_change_on:
        yield f"{simulation.strategy_change_on}: a change of strategy"


def _last_day(simulation: Simulation) -> date:
    return simulation.start + timedelta(days=simulation.days - 1)


def _truth(settings: Settings, retailer: SimulatedRetailer) -> pa.Table:
    """The best possible predictions for the snapshots that a run on the last day would make."""
    truth = _snapshots(settings, retailer)
    snapshots = truth.to_pandas(date_as_object=False)
    for name, target in settings.targets.items():
        best = retailer.best_possible(
            snapshots, target.label, target.horizon_days, minor_units=settings.data.minor_units
        )
        truth = truth.append_column(name, [best])
    return truth


def _snapshots(settings: Settings, retailer: SimulatedRetailer) -> pa.Table:
    con = tables.connect(settings.compute.threads)
    con.register("transactions", retailer.transactions)
    create_ledger(con)
    create_snapshots(
        con,
        every_days=settings.snapshots.every_days,
        burn_in_days=settings.snapshots.burn_in_days,
    )
    return con.sql(
        "select client_id, observed_on from snapshots(date '1970-01-01', "
        f"date '{_last_day(retailer.settings)}') order by observed_on, client_id"
    ).to_arrow_table()
