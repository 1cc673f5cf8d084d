from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evergreen.core.events import transactions
from evergreen.errors import DataError
from evergreen.ingestion.ingest import ingest_new_rows
from evergreen.settings import paths
from evergreen.settings.simulation import Simulation
from evergreen.settings.sources import Source
from evergreen.simulation.retailer import simulate
from evergreen.store import tables

SIMULATION = Simulation(clients=100, days=40, late_share=0.2)
SOURCE = Source(demo="simulated", simulation=SIMULATION)


@pytest.fixture
def ingest(shop):
    settings = shop.settings().model_copy(update={"source": SOURCE})

    def run(through=date(2017, 3, 31), reach=None):
        return list(ingest_new_rows(settings, through=through, reach=reach))

    return run


def stored(folder, schema):
    found = tables.partitions(folder)
    for day, path in found.items():
        assert set(pq.read_table(path)["ingested_on"].to_pylist()) <= {day}
        tables.check_schema(path, schema)
    return list(found), pa.concat_tables(map(pq.read_table, found.values()))


def test_transactions_and_notes_are_partitioned_by_the_day_they_became_known(ingest):
    ingest()
    made = simulate(SIMULATION)
    for folder, table, schema in (
        (paths.TRANSACTIONS, made.transactions, transactions.SCHEMA),
        (paths.NOTES, made.notes, tables.NOTES),
    ):
        days, rows = stored(folder, schema)
        assert days == list(tables.days(date(2017, 1, 1), date(2017, 2, 9)))
        assert rows.num_rows == table.num_rows


def test_ingested_day_by_day_it_is_the_same_as_at_once(ingest, tmp_path, monkeypatch):
    for day in (10, 11, 40):
        ingest(through=date.fromordinal(date(2016, 12, 31).toordinal() + day))
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    ingest()
    for path in (*tables.partitions(paths.TRANSACTIONS).values(), *paths.NOTES.iterdir()):
        assert path.read_bytes() == (tmp_path / path).read_bytes()


def test_notes_that_an_interruption_left_out_are_made_up_for(ingest):
    ingest(through=date(2017, 1, 20))
    lost = tables.partition_path(paths.NOTES, date(2017, 1, 20))
    before = lost.read_bytes()
    lost.unlink()
    ingest(through=date(2017, 1, 20))
    assert lost.read_bytes() == before


def test_days_beyond_the_simulated_ones_are_refused(ingest):
    with pytest.raises(DataError, match="the source ends on 2017-02-09"):
        ingest(through=date(2017, 3, 1), reach=date(2017, 2, 28))
