"""The kept history is the history that is added up from scratch."""

import os
import shutil
import threading
import time
from datetime import date, datetime
from datetime import time as time_of_day

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evergreen.core.events import transactions
from evergreen.core.events.ledger import create_ledger, create_texts
from evergreen.errors import DataError
from evergreen.settings import paths
from evergreen.store import digests, history_parts, sql, tables

DAYS = [date(2024, *day) for day in ((1, 30), (1, 31), (2, 1), (2, 29), (3, 1), (3, 2))]
"""Two complete months and two days of the newest."""
END, NOON = date(2024, 3, 3), time_of_day(12)
TABLES = ("ledger", "text_ledger")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(rows, notes=()):
    """Write raw tables: (client, invoice, day, ingested on, amount, text), and notes."""
    shutil.rmtree(paths.RAW, ignore_errors=True)
    names = ("client_id", "invoice_id", "timestamp", "ingested_on", "amount_minor", "text")
    made = [dict(zip(names, row, strict=True)) for row in rows]
    made = [row | {"timestamp": datetime.combine(row["timestamp"], NOON)} for row in made]
    for day in sorted({row["ingested_on"] for row in made}):
        of_day = [row for row in made if row["ingested_on"] == day]
        table = pa.Table.from_pylist(of_day, schema=transactions.SCHEMA)
        tables.write(table, tables.partition_path(paths.TRANSACTIONS, day))
    for client, day, text in notes:
        time_of_note = datetime.combine(day, NOON)
        note = {"client_id": client, "timestamp": time_of_note, "text": text, "ingested_on": day}
        table = pa.Table.from_pylist([note], schema=tables.NOTES)
        tables.write(table, tables.partition_path(paths.NOTES, day))


def from_scratch(known_by):
    """The rows of both tables, added up from all that was ingested before a date."""
    con = tables.connect(1)
    for folder, schema in history_parts.SCHEMAS.items():
        files = list(tables.partitions(folder).values())
        tables.view(con, folder.name, files, schema, known_by=known_by)
    create_ledger(con)
    create_texts(con, max_chars=4)
    return [con.sql(f"select * from {table} order by all").fetchall() for table in TABLES]


def parts(known_by=END):
    return (
        history_parts.ledger_parts(known_by, threads=1),
        history_parts.text_parts(known_by, threads=1, max_chars=4),
    )


def kept(known_by=END):
    con = tables.connect(1)
    return [
        con.sql(
            f"select * exclude (bucket) from {sql.parquet(files)} "
            f"where known_on <= '{known_by}' order by all"
        ).fetchall()
        for files in parts(known_by)
    ]


@st.composite
def histories(draw):
    """Rows of few invoices, so that most have several, ingested on their day or later."""
    rows = []
    for _ in range(draw(st.integers(1, 40))):
        ingested = draw(st.sampled_from(DAYS))
        day = draw(st.sampled_from([day for day in DAYS if day <= ingested]))
        client, invoice = draw(st.sampled_from("ab")), draw(st.sampled_from("xyz"))
        amount = draw(st.sampled_from([-500, -200, 0, 200, 300, 500]))
        text = draw(st.sampled_from([None, "mug", "mugs and pots"]))
        rows.append((client, invoice, day, ingested, amount, text))
    days = draw(st.sets(st.sampled_from(DAYS), max_size=2))
    return rows, [("a", day, "likes mugs") for day in sorted(days)]


JANUARY, MARCH = DAYS[0], DAYS[-1]
BULK = [("a", "x", day, MARCH, 100, "mug") for day in DAYS], []
UNDONE = (
    [("a", "x", JANUARY, day, amount, None) for day, amount in zip(DAYS, [5, -5] * 3, strict=True)],
    [],
)


@settings(max_examples=12, deadline=None)
@example(BULK, END)
@example(UNDONE, END)
@given(histories(), st.sampled_from([*DAYS[1:], END]))
def test_parts_hold_what_adding_up_all_rows_gives(history, known_by):
    write(*history)
    if min(tables.partitions(paths.TRANSACTIONS)) < known_by:
        assert kept(known_by) == from_scratch(known_by)


def label(part):
    """Kind and period of a part."""
    return part.stem.rsplit("-", 2)[0]


ROWS = [("a", "x", day, day, 100, "mug") for day in DAYS]


def test_a_day_adds_parts_and_changes_none():
    write(ROWS[:-1])
    before = {path for files in parts() for path in files}
    write(ROWS)
    after = {path for files in parts() for path in files}
    assert before < after
    assert {label(path) for path in after - before} == {"ledger-2024-03-02", "texts-2024-03-02"}


def test_a_month_that_ended_becomes_one_part():
    write(ROWS[:4])
    assert [len(files) for files in parts()] == [3, 3]
    write(ROWS[:5])
    labels = [label(path) for path in parts()[0]]
    assert labels == ["ledger-2024-01", "ledger-2024-02", "ledger-2024-03-01"]
    assert kept() == from_scratch(END)


def test_a_change_of_the_past_is_followed():
    write(ROWS)
    parts()
    write(
        [
            ("a", "x", JANUARY, JANUARY, 700, "pot"),
            *ROWS[1:],
            ("a", "x", JANUARY, MARCH, -700, None),
        ]
    )
    assert kept() == from_scratch(END)


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda _: b"no table",
        lambda content: content[:-9],
        lambda content: content[:20] + b"?" + content[21:],
    ],
)
def test_a_damaged_part_is_made_again(damage):
    write(ROWS)
    for files in parts():
        files[1].write_bytes(damage(files[1].read_bytes()))
    assert kept() == from_scratch(END)


def test_parts_of_another_version_are_not_used(monkeypatch):
    write(ROWS)
    before = parts()
    monkeypatch.setattr(history_parts, "_version", lambda: "another")
    assert not set(before[0]) & set(parts()[0])


def test_parts_that_nobody_has_opened_lately_are_removed():
    of_day = []
    for amount in (1, 2):
        write([*ROWS[:4], ("a", "x", DAYS[4], DAYS[4], amount, None)])
        of_day.append(parts()[0][-1])
    for path, days in zip(of_day, (2, 0), strict=True):
        written = time.time() - 3 * history_parts.UNUSED_SECONDS
        os.utime(path, (written, written))
        digests.of_files([path])  # remembered, so that it is not read again
        os.utime(path, (time.time() - days * history_parts.UNUSED_SECONDS, written))
    write(ROWS)
    parts()
    assert [path.exists() for path in of_day] == [False, True]


def test_several_at_a_time_make_the_same_parts():
    write(ROWS)
    results = []
    workers = [threading.Thread(target=lambda: results.append(parts())) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert results[0] == results[1]
    assert not list(history_parts.FOLDER.glob("*.unfinished"))


def test_a_damaged_raw_file_is_named():
    write(ROWS)
    tables.partition_path(paths.TRANSACTIONS, MARCH).write_bytes(b"no table")
    with pytest.raises(DataError, match=f"{MARCH}.parquet is not readable as Parquet"):
        parts()
