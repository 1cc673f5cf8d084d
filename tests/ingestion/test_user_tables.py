import json
import shutil
from datetime import date, datetime, time

import pytest
from openpyxl import Workbook

from evergreen.errors import DataError
from evergreen.ingestion.ingest import ingest_new_rows
from evergreen.settings import paths
from evergreen.store import tables

HEAD = "Client,Date,Total,Item\n"
DAY_5, DAY_6 = "a,2024-01-05,10.50,silk\n", "b,2024-01-06,7,belt\n"


def test_rows_are_ingested_typed_on_their_own_days(shop):
    shop.lay("shop.csv", HEAD + DAY_5 + DAY_6)
    lines = shop.ingest()
    assert shop.stored()[date(2024, 1, 5)] == [
        {
            "client_id": "a",
            "timestamp": datetime(2024, 1, 5),
            "amount_minor": 1050,
            "quantity": None,
            "text": "silk",
            "invoice_id": "a@2024-01-05 00:00:00",
            "ingested_on": date(2024, 1, 5),
        }
    ]
    assert lines[0] == "transactions: 1 file"
    assert lines[1] == (
        "transactions: read 2 rows = 2 accepted + 0 already ingested + 0 after the requested date "
        "+ 0 quarantined"
    )


def test_the_same_again_changes_nothing(shop):
    shop.lay("shop.csv", HEAD + DAY_5)
    shop.ingest()
    before = shop.bytes()
    assert shop.ingest()[0] == "transactions: 1 file, 1 of them already ingested"
    assert shop.bytes() == before


def test_a_file_that_grows_gives_only_what_is_new(shop):
    shop.lay("shop.csv", HEAD + DAY_5)
    shop.ingest()
    shop.lay("shop.csv", HEAD + DAY_5 + DAY_6)
    assert "read 2 rows = 1 accepted + 1 already ingested" in shop.ingest()[1]
    assert [row["client_id"] for row in shop.rows()] == ["a", "b"]


def test_two_equal_rows_in_a_file_are_two_and_in_two_files_one(shop):
    shop.lay("1.csv", HEAD + DAY_5 + DAY_5)
    shop.lay("2.csv", HEAD + DAY_5)
    assert shop.ingest()[1] == (
        "transactions: read 3 rows = 2 accepted + 0 already ingested + 0 after the requested date "
        "+ 1 duplicate in another file + 0 quarantined"
    )


def test_a_late_row_becomes_known_on_the_newest_day(shop):
    shop.lay("1.csv", HEAD + DAY_6)
    shop.ingest()
    shop.lay("2.csv", HEAD + DAY_5 + "c,2024-01-08,1,late\n")
    shop.ingest()
    [late] = [row for row in shop.rows() if row["client_id"] == "a"]
    assert (late["timestamp"].date(), late["ingested_on"]) == (date(2024, 1, 5), date(2024, 1, 8))


def test_a_mistyped_year_makes_no_history_of_centuries(shop):
    days = "".join(f"c{n},2024-01-{1 + n % 9:02},1,x\n" for n in range(2000))
    shop.lay("1.csv", HEAD + "a,1974-01-05,1,x\n" + days)
    shop.ingest()
    assert min(shop.stored()) == date(2024, 1, 1)
    assert shop.quarantined() == [
        "inbox/1.csv,2,,1974-01-05,date is more than a year before all others"
    ]
    shop.lay("2.csv", HEAD + "a,1975-01-05,1,x\nb,2024-01-20,1,x\n")
    shop.ingest()
    assert min(row["timestamp"].date() for row in shop.rows()) == date(2024, 1, 1)


def test_a_late_row_waits_for_a_new_day_and_is_not_lost(shop):
    shop.lay("1.csv", HEAD + DAY_6)
    shop.ingest()
    shop.lay("2.csv", HEAD + DAY_5)
    assert "1 waiting for a new day" in shop.ingest()[1]
    shop.lay("3.csv", HEAD + "c,2024-01-08,1,new\n")
    shop.ingest()
    assert sorted(row["client_id"] for row in shop.rows()) == ["a", "b", "c"]


def test_blanks_around_a_text_make_no_other_row(shop):
    shop.lay("1.csv", HEAD + DAY_5)
    shop.lay("2.csv", HEAD + DAY_5.replace("silk", " silk "))
    assert "1 accepted" in shop.ingest()[1]


def test_rows_after_the_requested_date_come_another_time(shop):
    shop.lay("shop.csv", HEAD + DAY_5 + DAY_6)
    assert "1 after the requested date" in shop.ingest(date(2024, 1, 5))[1]
    shop.ingest(date(2024, 1, 6))
    assert list(shop.stored()) == [date(2024, 1, 5), date(2024, 1, 6)]


def test_a_day_without_rows_is_known_to_have_had_none_where_there_are_rows_of_later_days(shop):
    shop.lay("1.csv", HEAD + DAY_5 + "b,2024-01-09,2.00,x\n")
    shop.ingest(through=date(2024, 1, 5))
    shop.ingest(through=date(2024, 1, 7), reach=date(2024, 1, 7))
    assert {day.day: len(rows) for day, rows in shop.stored().items()} == {5: 1, 6: 0, 7: 0}


def test_a_mistyped_year_is_no_sign_that_days_without_rows_had_none(shop):
    shop.lay("1.csv", HEAD + DAY_5 + "b,2026-01-09,2.00,x\n")
    shop.ingest(through=date(2024, 1, 5))
    shop.ingest(through=date(2024, 1, 7))
    assert max(shop.stored()) == date(2024, 1, 5)


def test_day_by_day_and_all_at_once_give_the_same_bytes(shop):
    shop.lay("shop.csv", HEAD + DAY_5 + DAY_6 + "c,2024-01-08,1,new\n")
    for day in (5, 6, 7, 8):
        shop.ingest(date(2024, 1, day))
    daily = shop.bytes()
    shutil.rmtree("data")
    shop.ingest(date(2024, 1, 8))
    assert shop.bytes() == daily


@pytest.mark.parametrize("days", [0, 1, 3])
def test_a_kill_at_any_day_and_a_second_call_give_the_same_bytes(shop, days):
    shop.lay("0.csv", HEAD + DAY_6)
    shop.ingest()
    shop.lay("1.csv", HEAD + "".join(f"c,2024-01-{d:02},1,x\n" for d in (7, 8, 8, 10)) + DAY_5)
    shutil.copytree("data", "before")

    def killed(done, _total, step):
        if step == "transactions: write days" and done > days:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(ingest_new_rows(shop.settings(), through=date(2024, 1, 31), progress=killed))
    with pytest.raises(DataError, match="an ingestion was stopped before data/raw had all rows"):
        tables.view_transactions(tables.connect(1), known_by=date(2024, 1, 31), max_lag_days=366)
    shop.ingest()
    assert not paths.HALF_INGESTED.exists()
    after = shop.bytes()
    shutil.rmtree("data")
    shutil.move("before", "data")
    shop.ingest()
    assert shop.bytes() == after


def test_the_day_on_which_the_source_says_it_knew_is_kept(shop):
    shop.source["columns"] = shop.source["columns"] | {"ingested_on": "Loaded"}
    shop.lay("1.csv", "Client,Date,Total,Item,Loaded\na,2024-01-05,1,x,2024-01-09\n")
    shop.ingest()
    assert list(shop.stored()) == [date(2024, 1, 9)]


BAD = {
    "no client": (",2024-01-05,1,x", "Client", "client_id is missing"),
    "no date": ("a,,1,x", "Date", "timestamp is missing"),
    "date of no day": ("a,2024-02-30,1,x", "Date", "timestamp is not a date"),
    "a word for a date": ("a,soon,1,x", "Date", "timestamp is not a date"),
    "far past": ("a,1900-01-01,1,x", "Date", "timestamp is not between 1970 and 2200"),
    "no amount": ("a,2024-01-05,,x", "Total", "amount is missing"),
    "a word for an amount": (
        "a,2024-01-05,twelve,x",
        "Total",
        "amount is not a number with decimal separator '.'",
    ),
    "a decimal comma": (
        'a,2024-01-05,"12,50",x',
        "Total",
        "amount is not a number with decimal separator '.'",
    ),
    "a fortune": ("a,2024-01-05,9e12,x", "Total", "amount_minor exceeds 10^14"),
    "a novel": (f"a,2024-01-05,1,{'x' * 131_073}", "Item", "text has more than 131,072"),
    "a cell too few": ("a,2024-01-05,1", "", "3 cells, the header has 4"),
    "a cell too many": ("a,2024-01-05,1,x,y", "", "5 cells, the header has 4"),
    "an open quote": ('"a,2024-01-05,1,x', "", "a quote is not closed"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_row_is_quarantined_with_source_line_column_and_reason(shop, case):
    line, column, reason = BAD[case]
    shop.lay("shop.csv", HEAD + DAY_5 + line + "\n" + DAY_6)
    lines = "\n".join(shop.ingest())
    assert (
        "read 3 rows = 2 accepted + 0 already ingested + 0 after the requested date + 1 quar"
        in lines
    )
    [quarantined] = shop.quarantined()
    assert quarantined.startswith(f"inbox/shop.csv,3,{column},")
    assert reason in quarantined
    assert len(shop.rows()) == 2


def test_bytes_of_another_encoding_in_one_row_put_only_that_row_aside(shop):
    good = "é,2024-01-05,1,né à\nü,2024-01-05,1,été\n".encode()
    shop.lay("shop.csv", HEAD.encode() + good + b"b\xff,2024-01-06,1,x\n")
    shop.ingest()
    assert [line.split(",")[1] for line in shop.quarantined()] == ["4"]
    assert sorted(row["client_id"] for row in shop.rows()) == ["é", "ü"]


def test_too_much_that_is_bad_stops_before_anything_is_changed(shop):
    shop.max_bad_share = 0.4
    shop.lay("shop.csv", HEAD + DAY_5 + "a,soon,1,x\n")
    with pytest.raises(DataError) as error:
        shop.ingest()
    assert str(error.value) == (
        "transactions: 1 of 2 rows are bad, but data.max_bad_share allows 40.0%; "
        "nothing was changed\n"
        "  1 x timestamp is not a date: "
        "first in inbox/shop.csv, line 3, "
        "column 'Date' holds 'soon'\n"
        "Next: check data/quarantine/transactions-2024-01-31.csv, and fix the source or "
        "its settings in params.yaml"
    )
    assert not paths.RAW.exists()


def test_where_the_decimal_sign_is_another_one_the_setting_is_named(shop):
    shop.max_bad_share = 0.1
    shop.source["decimal"] = "."
    shop.lay("shop.csv", HEAD.replace(",", ";") + "a;2024-01-05;1,50;x\n")
    with pytest.raises(
        DataError, match=r"Next: set `decimal` of the source in params\.yaml; otherwise"
    ):
        shop.ingest()


def test_the_account_is_stored_and_adds_up(shop):
    shop.lay("shop.csv", HEAD + DAY_5 + "a,soon,1,x\n")
    shop.ingest()
    report = json.loads((paths.QUARANTINE / "transactions-2024-01-31.json").read_text())
    assert report["read"] == report["accepted"] + sum(report["quarantined"].values()) == 2


def test_a_missing_column_is_named_with_the_nearest_one(shop):
    shop.lay("shop.csv", "Client,Date,Totals,Item\n")
    with pytest.raises(DataError, match=r"inbox/shop.csv lacks the column 'Total' .*'Totals'"):
        shop.ingest()


def test_a_file_whose_schema_has_changed_is_named(shop):
    shop.lay("1.csv", HEAD + DAY_5)
    shop.ingest()
    shop.lay("2.csv", "Client;Day;Total;Item\na;2024-01-06;1;x\n")
    with pytest.raises(DataError, match=r"inbox/2.csv lacks the column 'Date'"):
        shop.ingest()
    assert list(shop.stored()) == [date(2024, 1, 5)]


def test_columns_in_another_order_or_in_excess_do_no_harm(shop):
    shop.lay("1.csv", "Extra,Item,Total,Date,Client\n?,silk,1,2024-01-05,a\n")
    shop.ingest()
    assert [row["text"] for row in shop.rows()] == ["silk"]


def test_a_column_named_twice_is_refused(shop):
    shop.lay("1.csv", "Client,Date,Total,Total,Item\n")
    with pytest.raises(DataError, match="has 2 columns named 'Total', expected one"):
        shop.ingest()


@pytest.mark.parametrize("content", ["", HEAD, "\n\n"])
def test_an_empty_file_beside_others_does_no_harm(shop, content):
    shop.lay("0.csv", content)
    shop.lay("1.csv", HEAD + DAY_5)
    assert "1 accepted" in shop.ingest()[-1]


@pytest.mark.parametrize("content", ["", HEAD])
def test_nothing_but_an_empty_file_is_refused(shop, content):
    shop.lay("1.csv", content)
    with pytest.raises(DataError, match="holds no good rows; nothing was changed"):
        shop.ingest()


def test_no_file_at_all_is_refused(shop):
    with pytest.raises(DataError, match=r"no file matches inbox/\*"):
        shop.ingest()


def test_a_source_that_ends_too_early_changes_nothing(shop):
    shop.lay("1.csv", HEAD + DAY_5)
    with pytest.raises(DataError, match="ends on 2024-01-05, but rows until 2024-01-30"):
        shop.ingest(reach=date(2024, 1, 30))
    assert not paths.RAW.exists()


def test_a_setting_that_changes_no_row_reads_everything_again(shop):
    shop.lay("1.csv", HEAD + DAY_5)
    shop.ingest()
    shop.source["decimal"] = "."
    shop.lay("2.csv", HEAD + DAY_6)
    assert "read 2 rows = 1 accepted + 1 already ingested" in shop.ingest()[1]


def test_price_times_quantity_is_exact(shop):
    shop.source["columns"] = {
        "client_id": "c", "timestamp": "d", "price": "p", "quantity": "q"
    }  # fmt: skip
    shop.lay("1.csv", "c,d,p,q\na,2024-01-05,1.005,1\nb,2024-01-05,0.1,-3\n")
    shop.ingest()
    assert [(r["amount_minor"], r["quantity"]) for r in shop.rows()] == [(101, 1.0), (-30, -3.0)]


def test_notes_join_their_columns_and_may_come_late(shop):
    columns = {"client_id": "Who", "timestamp": "When", "text": ["Title", "Body"]}
    shop.others["notes"] = {"files": "notes.csv", "columns": columns}
    shop.lay("1.csv", HEAD + DAY_5)
    note = 'Who,When,Title,Body\na,2024-01-04 09:00,Call,"likes\nsilk"\n'
    (shop.folder / "notes.csv").write_text(note)
    shop.ingest(date(2024, 1, 6))
    (shop.folder / "notes.csv").write_text(note + "b,2024-01-03,Mail,x\n")
    shop.ingest(date(2024, 1, 8))
    assert [(r["text"], r["ingested_on"].day) for r in shop.rows(paths.NOTES)] == [
        ("Call likes\nsilk", 5),
        ("Mail x", 8),
    ]


def test_a_bad_row_of_a_later_day_is_judged_when_its_day_has_come(shop):
    shop.lay("shop.csv", HEAD + DAY_5 + "a,2024-01-08,twelve,x\n" + "c,2024-01-08,1,x\n")
    for day in (5, 6):
        assert "2 after the requested date + 0 quarantined" in "".join(
            shop.ingest(date(2024, 1, day))
        )
    assert "1 accepted + 1 already ingested" in shop.ingest(date(2024, 1, 8))[1]
    assert len(shop.quarantined(date(2024, 1, 8))) == 1


def test_a_bad_row_of_no_possible_day_is_quarantined_at_once(shop):
    shop.lay("shop.csv", HEAD + DAY_5 + "a,2500-01-08,1,x\n")
    assert "1 quarantined" in shop.ingest(date(2024, 1, 5))[1]


ATTRIBUTES = {
    "files": "clients/*.csv",
    "columns": {
        "client_id": "Who",
        "valid_from": "Since",
        "numeric": {"age": "Age"},
        "categorical": {"segment": "Segment"},
    },
}


def lay_clients(shop, name, content):
    (shop.folder / "clients").mkdir(exist_ok=True)
    (shop.folder / "clients" / name).write_text(content)


def test_attributes_are_ingested_and_a_changed_row_corrects_the_known_one(shop):
    shop.others["attributes"] = ATTRIBUTES
    shop.lay("1.csv", HEAD + DAY_5)
    lay_clients(shop, "1.csv", "Who,Since,Age,Segment\na,2024-01-05,40, gold\nb,2024-01-06,,\n")
    shop.ingest(date(2024, 1, 6))
    lay_clients(shop, "1.csv", "Who,Since,Age,Segment\na,2024-01-05,41, gold\nb,2024-01-06,,\n")
    lines = shop.ingest(date(2024, 1, 7))
    assert (
        "1 already ingested + 0 after the requested date + 1 correction of an ingested row"
        in lines[-1]
    )
    told = [
        (row["ingested_on"].day, row["client_id"], row["number_age"], row["level_segment"])
        for row in shop.rows(paths.ATTRIBUTES)
    ]
    assert told == [(5, "a", 40.0, "gold"), (6, "b", None, None), (7, "a", 41.0, "gold")]


def test_attributes_older_than_the_history_were_known_when_it_began(shop):
    shop.others["attributes"] = ATTRIBUTES
    shop.lay("1.csv", HEAD + DAY_5 + DAY_6)
    lay_clients(shop, "1.csv", "Who,Since,Age,Segment\na,1998-03-01,40,gold\nb,2024-01-06,,\n")
    shop.ingest(date(2024, 1, 7))
    found = shop.stored(paths.ATTRIBUTES)
    assert [len(rows) for rows in found.values()] == [1, 1, 0]
    assert found[date(2024, 1, 5)][0]["valid_from"] == date(1998, 3, 1)


def test_the_date_of_attributes_may_stand_in_the_name_of_the_file(shop):
    columns = {key: value for key, value in ATTRIBUTES["columns"].items() if key != "valid_from"}
    shop.others["attributes"] = ATTRIBUTES | {"columns": columns}
    shop.lay("1.csv", HEAD + DAY_5)
    lay_clients(shop, "clients_2024-01-06.csv", "Who,Age,Segment\na,40,gold\n")
    shop.ingest()
    [row] = shop.rows(paths.ATTRIBUTES)
    assert row["valid_from"] == row["ingested_on"] == date(2024, 1, 6)


def test_an_attribute_that_is_no_number_is_bad(shop):
    shop.others["attributes"] = ATTRIBUTES
    shop.lay("1.csv", HEAD + DAY_5)
    lay_clients(shop, "1.csv", "Who,Since,Age,Segment\na,2024-01-05,old,gold\n")
    assert "attributes:   1 x age is not a number" in shop.ingest()


def test_nothing_that_is_printed_names_a_client_or_quotes_a_text(shop):
    columns = {"client_id": "Who", "timestamp": "When", "text": "Body"}
    shop.others["notes"] = {"files": "notes.csv", "columns": columns}
    shop.lay("1.csv", HEAD + DAY_5)
    bad = "Jane,2024-01-04,likes silk\nJane,,is ill\nJane,2024-01-04,\nJane,2024-01-04,rich,x\n"
    (shop.folder / "notes.csv").write_text("Who,When,Body\n" + bad)
    lines = "\n".join(shop.ingest())
    shop.max_bad_share = 0.1
    shutil.rmtree("data")
    with pytest.raises(DataError, match="3 of 4 rows are bad") as error:
        shop.ingest()
    assert [w for w in ("Jane", "silk", "ill", "rich") if w in lines + str(error.value)] == []


def test_a_raw_table_that_is_damaged_is_refused_with_the_way_to_restore_it(shop):
    shop.lay("shop.csv", HEAD + "a,2024-01-05,1,x\n")
    shop.ingest()
    [path] = tables.partitions(paths.TRANSACTIONS).values()
    path.write_bytes(b"PAR1")
    shop.lay("shop.csv", HEAD + "a,2024-01-05,2,x\n")
    with pytest.raises(DataError, match=r"data/raw/transactions can't be read: ") as error:
        shop.ingest()
    assert error.value.next_step == "dvc checkout --force data/raw"


@pytest.mark.parametrize(
    "content", ["[]", '{"transactions": []}', '{"notes": {"settings": "", "x": 1}}']
)
def test_a_state_of_another_kind_is_refused_with_the_way_to_restore_it(shop, content):
    shop.lay("shop.csv", HEAD + "a,2024-01-05,1,x\n")
    paths.RAW.mkdir(parents=True)
    paths.INGESTION_STATE.write_text(content)
    with pytest.raises(DataError, match="was not written by this version of evergreen") as error:
        shop.ingest()
    assert error.value.next_step == "dvc checkout --force data/raw"


TWO_COLUMNS = "Client,Day,Clock,Total\na,31/12/2023,23:15:02,1\nb,30/12/2023,,2\nc,,08:00,3\n"


def test_date_and_time_may_be_in_two_columns(shop):
    shop.source["columns"] = {"client_id": "Client", "timestamp": ["Day", "Clock"]} | {
        "amount": "Total"
    }
    shop.lay("shop.csv", TWO_COLUMNS)
    shop.ingest()
    times = {row["client_id"]: str(row["timestamp"]) for row in shop.rows()}
    assert times == {"a": "2023-12-31 23:15:02", "b": "2023-12-30 00:00:00"}
    [bad] = shop.quarantined()
    assert bad.startswith("inbox/shop.csv,4,Day + Clock,08:00,timestamp is not a ")


def test_date_and_time_may_be_in_two_columns_of_a_workbook(shop):
    book = Workbook()
    for row in (
        ["Client", "Day", "Clock", "Total"],
        ["a", datetime(2023, 12, 31), time(23, 15), 1],
    ):
        book.active.append(row)
    shop.source["columns"] = {"client_id": "Client", "timestamp": ["Day", "Clock"]} | {
        "amount": "Total"
    }
    book.save(shop.lay("shop.xlsx", b""))
    shop.ingest()
    assert [str(row["timestamp"]) for row in shop.rows()] == ["2023-12-31 23:15:00"]


@pytest.mark.parametrize(
    ("prices", "quantities"),
    [(["10,00", "5,50"], ["1.000", "2.000"]), (["1,5", "2.5", "1,234"], ["1", "1", "1"])],
)
def test_numbers_that_can_be_read_in_two_ways_are_asked_about(shop, prices, quantities):
    rows = zip("abc", prices, quantities, strict=False)
    lines = "".join(f"{client};2024-01-0{i};{p};{q}\n" for i, (client, p, q) in enumerate(rows, 1))
    shop.source["columns"] = {
        "client_id": "Client", "timestamp": "Date", "price": "Price", "quantity": "Qty"
    }  # fmt: skip
    shop.lay("shop.csv", "Client;Date;Price;Qty\n" + lines)
    with pytest.raises(DataError, match="decimals or thousands"):
        shop.ingest()


def test_a_source_of_bad_rows_alone_is_refused_with_their_list(shop):
    shop.max_bad_share = 1.0
    shop.lay("1.csv", HEAD + ",2024-01-05,1,x\n")
    with pytest.raises(DataError, match="holds no good rows, only 1 bad one") as caught:
        shop.ingest()
    assert str(paths.QUARANTINE) in caught.value.next_step
