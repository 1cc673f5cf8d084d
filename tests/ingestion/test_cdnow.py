import sys
from datetime import date

import pytest

from evergreen.core.events import transactions
from evergreen.errors import DataError, EvergreenError
from evergreen.ingestion import cdnow
from evergreen.store import tables


@pytest.fixture(scope="module")
def rows():
    return cdnow.rows(tables.connect(threads=2), 100).to_arrow_table()


def test_every_published_transaction_is_there_in_the_canonical_columns(rows):
    assert rows.num_rows == 69_659
    assert rows.schema.names == transactions.SCHEMA.names
    assert rows.drop_columns("invoice_id").cast(
        transactions.SCHEMA.remove(transactions.SCHEMA.get_field_index("invoice_id"))
    )


def test_amounts_are_cents_and_the_first_client_is_as_published(rows):
    first = rows.sort_by([("client_id", "ascending"), ("timestamp", "ascending")]).to_pylist()[0]
    assert (first["client_id"], first["amount_minor"], first["quantity"]) == ("00001", 1177, 1)
    assert (first["ingested_on"], first["text"]) == (date(1997, 1, 1), None)


def test_some_cds_cost_nothing(rows):
    assert rows["amount_minor"].to_pylist().count(0) == 80


def test_the_package_that_ships_the_file_is_never_imported(rows):
    assert "lifetimes" not in sys.modules


def test_a_file_with_other_counts_is_refused(monkeypatch):
    monkeypatch.setitem(cdnow.PUBLISHED, "clients", 23_571)
    with pytest.raises(DataError, match=r"published are .*'clients': 23571"):
        cdnow.rows(tables.connect(threads=2), 100)


def test_a_package_that_is_not_installed_is_named_by_its_extra(monkeypatch):
    monkeypatch.setattr(sys, "path", [])  # where packages are looked for
    with pytest.raises(EvergreenError, match=r"pip install 'evergreen\[demo\]'"):
        cdnow.rows(tables.connect(threads=2), 100)
