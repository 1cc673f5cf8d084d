"""The raw history is made anew from the source, and what is recognised keeps its day."""

import shutil
from datetime import date, datetime

import pytest

from evergreen.errors import DataError
from evergreen.ingestion.ingest import ingest_new_rows
from evergreen.ingestion.rebuild import rebuild
from evergreen.settings import paths
from evergreen.store import files, tables

HEAD = "Client,Date,Total,Item,Invoice,Key\n"
ROWS = "".join(
    f"c{n % 7},2024-01-{1 + n % 20:02},{n}.50,silk {n % 3},i{n},k{n}\n" for n in range(40)
)
NEXT_DAY = "c1,2024-01-25,3.00,belt,i99,k99\n"
LATE = "c9,2024-01-03,8.00,late,i77,k77\n"


def remake(shop, through=date(2024, 1, 31), **options):
    return list(rebuild(shop.settings(), through=through, **options))


def content(shop, folder=paths.TRANSACTIONS):
    rows = [{k: v for k, v in row.items() if k != "ingested_on"} for row in shop.rows(folder)]
    return sorted(rows, key=repr)


def known_on(shop):
    return {row["amount_minor"]: row["ingested_on"] for row in shop.rows()}


def fresh(shop):
    """What a first ingestion gives."""
    shutil.move("data", "data_before")
    shop.ingest()
    rows = content(shop)
    shutil.rmtree("data")
    shutil.move("data_before", "data")
    return rows


@pytest.fixture
def lived(shop):
    """A shop whose file has grown, once with a row of an earlier day."""
    shop.lay("1.csv", HEAD + ROWS)
    shop.ingest(date(2024, 1, 20))
    shop.lay("2.csv", HEAD + LATE + NEXT_DAY)
    shop.ingest()
    return shop


def map_column(role, header):
    return lambda shop: shop.source["columns"].update({role: header})


CHANGES = {
    "nothing": lambda _: None,
    "an invoice": map_column("invoice_id", "Invoice"),
    "a key": map_column("row_id", "Key"),
    "another text": map_column("text", "Key"),
    "another client": map_column("client_id", "Invoice"),
    "units": lambda shop: shop.data.update(minor_units=10),
    "no text": lambda shop: shop.source["columns"].pop("text"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_history_is_that_of_a_first_ingestion_but_keeps_the_days(lived, change):
    scale = 10 if change == "units" else 1
    before = {amount // scale: day for amount, day in known_on(lived).items()}
    assert before[800 // scale] == date(2024, 1, 25)
    CHANGES[change](lived)
    remake(lived)
    assert content(lived) == fresh(lived)
    assert known_on(lived) == before


def test_what_differs_is_reported(lived):
    lived.data["minor_units"] = 10
    assert remake(lived)[-3:] == [
        "transactions: rebuilt: 42 rows before, 42 now",
        "transactions:   net amount: 811.00 before, 811.00 now",
        "transactions:   42 keep the day on which they became known",
    ]


def test_later_ingestions_go_on_from_a_rebuilt_history(lived):
    lived.source["columns"]["invoice_id"] = "Invoice"
    remake(lived)
    assert "transactions: 2 files, 2 of them already ingested" in lived.ingest()
    lived.lay("3.csv", HEAD + "c1,2024-01-28,3.00,belt,i98,k98\n")
    lived.ingest()
    assert len(lived.rows()) == 43


def test_a_row_that_came_in_since_is_known_on_the_last_day(shop):
    shop.lay("1.csv", HEAD + ROWS)
    shop.ingest()
    shop.lay("2.csv", HEAD + LATE)
    shop.source["columns"]["invoice_id"] = "Invoice"
    lines = remake(shop)
    assert known_on(shop)[800] == date(2024, 1, 20)
    late = "transactions:   1 came into the source late, and are known from 2024-01-20 on"
    assert late in lines


def test_a_row_that_the_earlier_mapping_did_not_show_is_known_on_its_own_day(shop):
    shop.others["missing_ids"] = ["c9"]
    shop.lay("1.csv", HEAD + ROWS + LATE)
    shop.ingest()
    shop.others.clear()
    lines = remake(shop)
    assert known_on(shop)[800] == date(2024, 1, 3)
    assert "transactions:   1 of earlier days were not read before" in "\n".join(lines)


def test_rows_that_are_left_out_now_are_no_loss(shop):
    shop.lay("1.csv", HEAD + ROWS + LATE)
    shop.ingest()
    shop.others["missing_ids"] = ["c9"]
    with pytest.raises(DataError, match=r"source\.missing_ids: not set"):
        shop.ingest()
    assert "transactions:   1 of before are excluded or bad now" in remake(shop)
    assert content(shop) == fresh(shop)


def test_rows_that_the_source_no_longer_has_are_not_dropped_unasked(lived):
    before = lived.bytes()
    (lived.folder / "inbox" / "2.csv").unlink()
    with pytest.raises(DataError) as error:
        remake(lived)
    assert error.value.message == (
        "transactions: the source no longer has 2 of the 42 rows in data/raw/transactions, which "
        "became known on 1 day (2024-01-25); nothing was changed"
    )
    assert "evergreen ingest --rebuild --drop-missing" in error.value.next_step
    assert lived.bytes() == before
    remake(lived, drop_missing=True)
    assert content(lived) == fresh(lived)


@pytest.mark.parametrize("older", ["{}.0", " {}"])
def test_ids_of_an_earlier_version_are_recognised_by_the_rule_of_today(shop, older):
    shop.lay("1.csv", HEAD + ROWS.replace("c", "1"))
    shop.ingest()
    before = shop.bytes()
    shop.edit_stored(lambda row: row | {"client_id": older.format(row["client_id"])})
    shop.forget_the_mapping()
    remake(shop)
    assert shop.bytes() == before


def test_amounts_of_an_earlier_version_are_recognised_by_client_and_time(shop):
    shop.lay("1.csv", HEAD + ROWS)
    shop.ingest()
    before = shop.bytes()
    shop.edit_stored(lambda row: row | {"amount_minor": row["amount_minor"] + 1})
    shop.forget_the_mapping()
    remake(shop)
    assert shop.bytes() == before


def test_a_correction_stays_as_it_became_known(shop):
    shop.source["columns"]["row_id"] = "Key"
    shop.lay("1.csv", HEAD + ROWS)
    shop.ingest()
    shop.lay("1.csv", HEAD + ROWS.replace("0.50", "1.00", 1) + NEXT_DAY)
    shop.ingest()
    before = content(shop), shop.stored()
    remake(shop)
    assert (content(shop), shop.stored()) == before
    shop.source["columns"]["invoice_id"] = "Invoice"
    remake(shop)
    assert {day: len(rows) for day, rows in shop.stored().items()} == {
        day: len(rows) for day, rows in before[1].items()
    }


def test_a_change_under_a_known_key_becomes_a_correction(shop):
    shop.source["columns"]["row_id"] = "Key"
    shop.lay("1.csv", HEAD + ROWS)
    shop.ingest()
    shop.lay("1.csv", HEAD + ROWS.replace("0.50", "1.00", 1))
    lines = remake(shop)
    assert "transactions:   1 changed in the source under the same key, and are corrected" in lines
    assert sum(row["amount_minor"] for row in shop.rows()) == 80050
    changed = [row["ingested_on"].day for row in shop.rows() if row["row_id"] == "k0"]
    assert changed == [1, 20]


ATTRIBUTES = {
    "files": "clients/*.csv",
    "columns": {"client_id": "Who", "valid_from": "Since", "numeric": {"age": "Age"}},
}


def test_notes_attributes_and_outcomes_are_rebuilt_too(lived):
    columns = {"client_id": "Client", "timestamp": "Date", "text": "Item"}
    lived.others["notes"] = {"files": "inbox/*", "columns": columns}
    lived.others["attributes"] = ATTRIBUTES
    (lived.folder / "clients").mkdir()
    (lived.folder / "clients" / "1.csv").write_text("Who,Since,Age\nc1,2024-01-02,40\n")
    lived.ingest()
    before = {name: content(lived, paths.RAW / name) for name in ("notes", "attributes")}
    remake(lived)
    assert {name: content(lived, paths.RAW / name) for name in before} == before
    lived.others["notes"]["columns"] = columns | {"text": ["Item", "Key"]}
    with pytest.raises(DataError, match=r"notes: the settings have changed"):
        lived.ingest()
    remake(lived)
    assert len(lived.rows(paths.NOTES)) == 42
    days = [row["ingested_on"].day for row in lived.rows(paths.NOTES) if "k77" in row["text"]]
    assert days == [3]


@pytest.mark.parametrize("moment", ["writing", "exchanging", "moved aside"])
def test_a_kill_leaves_a_whole_history_and_the_same_call_completes(lived, moment, monkeypatch):
    before = lived.bytes()
    lived.source["columns"]["invoice_id"] = "Invoice"

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        options = {}
        if moment == "writing":
            options["progress"] = killed
        elif moment == "exchanging":
            patch.setattr(files, "_exchange", killed)
        else:
            patch.setattr(files, "_exchange", lambda *_: False)
            patch.setattr(files, "remove", lambda path: path.name.endswith("x") and killed())
            paths.RAW.with_name(".raw.old.unfinished").mkdir()
            paths.RAW.with_name(".raw.old.unfinished").rmdir()
        if moment != "moved aside":
            with pytest.raises(KeyboardInterrupt):
                remake(lived, **options)
            assert lived.bytes() == before
    if moment == "moved aside":
        paths.RAW.rename(paths.RAW.with_name(".raw.old.unfinished"))
    remake(lived)
    assert content(lived) == fresh(lived)
    assert [p.name for p in paths.RAW.parent.iterdir() if p.name.startswith(".")] == []


def test_days_without_rows_stay_known_to_have_had_none(lived):
    days = list(lived.stored())
    lived.source["columns"]["invoice_id"] = "Invoice"
    remake(lived, through=date(2024, 1, 10))
    assert list(lived.stored()) == days
    assert len(list(tables.days(days[0], days[-1]))) == len(days)


def test_new_rows_come_in_with_a_rebuild(shop):
    shop.lay("1.csv", HEAD + ROWS)
    list(ingest_new_rows(shop.settings(), through=date(2024, 1, 10)))
    remake(shop)
    assert content(shop) == fresh(shop)


def test_the_rows_of_a_demo_are_rebuilt_too(shop):
    purchase = {
        "client_id": "a",
        "timestamp": datetime(2024, 1, 5, 12),
        "amount_minor": 100,
        "quantity": 1.0,
        "text": "silk",
        "invoice_id": "i",
        "ingested_on": date(2024, 1, 5),
    }
    shop.ingest_demo(purchase)
    before = shop.bytes()
    with shop.demo(purchase):
        list(rebuild(shop.settings({"demo": "cdnow"}), through=date(2024, 1, 31)))
    assert shop.bytes() == before


def test_a_first_ingestion_may_be_a_rebuild(shop):
    shop.lay("1.csv", HEAD + ROWS)
    remake(shop)
    assert len(shop.rows()) == 40


@pytest.mark.parametrize("role", ["text", "invoice_id"])
def test_an_order_that_was_cancelled_since_is_withdrawn_on_the_last_day(shop, role):
    shop.source["columns"]["row_id"] = "Key"
    shop.source["where"] = "Item <> 'cancelled'"
    shop.lay("1.csv", HEAD + ROWS)
    shop.ingest()
    shop.lay("1.csv", HEAD + ROWS.replace("0.50,silk 0", "0.50,cancelled", 1))
    shop.source["columns"][role] = "Invoice"
    remake(shop)
    first = [
        (r["ingested_on"].day, r["amount_minor"]) for r in shop.rows() if r["client_id"] == "c0"
    ]
    assert [row for row in first if abs(row[1]) == 50] == [(1, 50), (20, -50)]
    assert not any("withdrawn" in line for line in shop.ingest())


def test_an_order_without_a_key_that_was_cancelled_since_is_no_loss(shop):
    shop.source["where"] = "Invoice <> 'cancelled'"
    shop.lay("1.csv", HEAD + ROWS)
    shop.ingest()
    shop.lay("1.csv", HEAD + ROWS.replace("silk 0,i0", "silk 0,cancelled", 1))
    shop.source["columns"]["text"] = "Key"
    assert "transactions:   1 of before are excluded or bad now" in remake(shop)
