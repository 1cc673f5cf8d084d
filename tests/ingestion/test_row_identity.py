"""What a row is recognised by, when the settings of its source change."""

import json
from datetime import date, datetime

import pytest

from evergreen.errors import DataError
from evergreen.settings import paths

HEAD = "Client,Date,Total,Item,Invoice,Key\n"
ROWS = "".join(
    f"c{n % 7},2024-01-{1 + n % 20:02},{n}.50,silk {n % 3},i{n},k{n}\n" for n in range(40)
)
NEXT_DAY = "c1,2024-01-25,3.00,belt,i99,k99\n"


def set_column(role, header):
    def change(shop):
        shop.source["columns"] = shop.source["columns"] | {role: header}

    return change


def set_value(key, value):
    return lambda shop: shop.source.update({key: value})


def set_minor_units(shop):
    shop.data["minor_units"] = 1000


def set_missing_ids(shop):
    shop.others["missing_ids"] = ["c3"]


CHANGES = {
    "columns.invoice_id: not set -> Invoice": set_column("invoice_id", "Invoice"),
    "columns.row_id: not set -> Key": set_column("row_id", "Key"),
    "columns.text: Item -> Key": set_column("text", "Key"),
    "columns.client_id: Client -> Invoice": set_column("client_id", "Invoice"),
    "data.minor_units: 100 -> 1000": set_minor_units,
    'source.missing_ids: not set -> ["c3"]': set_missing_ids,
}


@pytest.mark.parametrize("changed", CHANGES)
def test_a_changed_mapping_is_refused_with_what_changed_and_adds_nothing(shop, changed):
    shop.lay("1.csv", HEAD + ROWS)
    shop.ingest()
    before = shop.bytes()
    CHANGES[changed](shop)
    shop.lay("1.csv", HEAD + ROWS + NEXT_DAY)
    with pytest.raises(DataError) as error:
        shop.ingest()
    assert f"nothing was changed\n  {changed}" in error.value.message
    assert error.value.next_step.startswith("evergreen ingest --rebuild")
    assert shop.bytes() == before


def test_a_column_for_the_text_is_refused_where_there_was_none(shop):
    del shop.source["columns"]["text"]
    shop.lay("1.csv", HEAD + ROWS)
    shop.ingest()
    shop.source["columns"]["text"] = "Item"
    with pytest.raises(DataError, match=r"columns\.text: not set -> Item"):
        shop.ingest()


def test_the_mapping_is_set_back_and_rows_come_in_again(shop):
    shop.lay("1.csv", HEAD + ROWS)
    shop.ingest()
    columns = shop.source["columns"]
    shop.source["columns"] = columns | {"invoice_id": "Invoice"}
    with pytest.raises(DataError):
        shop.ingest()
    shop.source["columns"] = columns
    shop.lay("2.csv", HEAD + NEXT_DAY)
    shop.ingest()
    assert len(shop.rows()) == 41


@pytest.mark.parametrize(
    ("key", "value"),
    [("decimal", "."), ("encoding", "utf-8"), ("delimiter", ","), ("files", "*/*")],
)
def test_a_setting_that_reads_all_rows_as_before_is_accepted(shop, key, value):
    shop.lay("1.csv", HEAD + ROWS)
    shop.ingest()
    shop.source[key] = value
    shop.lay("1.csv", HEAD + ROWS + NEXT_DAY)
    assert "1 accepted + 40 already ingested" in shop.ingest()[1]


def test_days_that_the_source_no_longer_has_do_not_stand_in_the_way(shop):
    path = shop.lay("1.csv", HEAD + ROWS)
    shop.ingest()
    path.unlink()
    shop.source["decimal"] = "."
    shop.lay("2.csv", HEAD + NEXT_DAY)
    shop.ingest()
    assert len(shop.rows()) == 41


def test_the_mapping_is_on_record_in_words(shop):
    shop.lay("1.csv", HEAD + ROWS)
    shop.ingest()
    state = json.loads(paths.INGESTION_STATE.read_text())["transactions"]
    assert state["mapping"] == {
        "columns": {"amount": "Total", "client_id": "Client", "text": "Item", "timestamp": "Date"},
        "data.minor_units": 100,
    }


def test_a_state_of_an_earlier_version_gets_the_mapping_of_today(shop):
    shop.lay("1.csv", HEAD + ROWS)
    shop.ingest()
    before = shop.bytes()
    shop.forget_the_mapping()
    shop.ingest()
    assert shop.bytes() == before


@pytest.mark.parametrize("older", ["{}.0", " {}", "{} "])
def test_ids_that_an_earlier_version_read_otherwise_are_refused(shop, older):
    shop.lay("1.csv", HEAD + ROWS.replace("c", "1"))
    shop.ingest()
    shop.edit_stored(lambda row: row | {"client_id": older.format(row["client_id"])})
    shop.forget_the_mapping()
    with pytest.raises(DataError, match=r"has 7 of the ids in client_id as an earlier") as error:
        shop.ingest()
    assert error.value.next_step.startswith("evergreen ingest --rebuild")


def test_amounts_that_an_earlier_version_read_otherwise_are_refused(shop):
    shop.lay("1.csv", HEAD + ROWS)
    shop.ingest()
    shop.edit_stored(lambda row: row | {"amount_minor": row["amount_minor"] + 1})
    shop.forget_the_mapping()
    with pytest.raises(DataError, match=r"40 rows that an earlier version .* added a second time"):
        shop.ingest()


def test_rows_of_another_source_are_refused(shop):
    shop.ingest_demo(
        {
            "client_id": "x",
            "timestamp": datetime(2024, 1, 5),
            "amount_minor": 100,
            "quantity": 1.0,
            "text": "silk",
            "invoice_id": "i",
            "ingested_on": date(2024, 1, 5),
        }
    )
    shop.lay("1.csv", HEAD + ROWS)
    with pytest.raises(DataError, match="they come from another source"):
        shop.ingest()


def test_amounts_in_another_currency_than_before_are_refused(shop):
    shop.lay("1.csv", HEAD + "a,2024-01-05,€5.00,x,i,k\n")
    shop.ingest()
    shop.lay("2.csv", HEAD + "a,2024-01-06,$5.00,x,i,k\n")
    with pytest.raises(DataError, match=r"\(1 in \$\) than those ingested earlier.* in EUR"):
        shop.ingest()


def test_another_name_for_an_ingested_table_is_refused(shop):
    shop.source["name"] = "till"
    shop.lay("1.csv", HEAD + ROWS)
    shop.ingest()
    shop.source["name"] = "shop"
    with pytest.raises(DataError, match="has the settings of transactions/till") as error:
        shop.ingest()
    assert error.value.next_step == "give the table its name back in params.yaml"


def test_a_further_table_is_no_change_of_the_first(shop):
    shop.lay("1.csv", HEAD + ROWS)
    shop.ingest()
    (shop.folder / "refunds.csv").write_text("Who,When,Back\nc1,2024-01-25,-3\n")
    columns = {"client_id": "Who", "timestamp": "When", "amount": "Back"}
    refunds = {"name": "refunds", "files": "refunds.csv", "columns": columns}
    shop.others = {"transactions": [shop.source, refunds]}
    shop.ingest()
    assert len(shop.rows()) == 41
