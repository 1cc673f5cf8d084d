"""SQLite always; PostgreSQL on a server of the test's own, where Debian's packages are there."""

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa

from evergreen.errors import DataError
from evergreen.settings import paths

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
CREATE = """
    create table sales (id integer primary key, client varchar(20), sold_at timestamp,
                        total numeric(12, 2), item text, updated_at timestamp)
"""
COLUMNS = {
    "client_id": "client",
    "timestamp": "sold_at",
    "amount": "total",
    "text": "item",
    "row_id": "id",
}


@pytest.fixture(scope="module")
def postgresql():
    """The address of a PostgreSQL server on loopback that ends with these tests."""
    if not BINARIES:
        pytest.skip("no PostgreSQL here: apt-get install postgresql")
    user = "postgres" if os.getuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    if user:
        shutil.chown(folder, user)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def run(program, *arguments):
        command = [BINARIES[-1].with_name(program), "-D", folder / "db", *arguments]
        subprocess.run(command, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL)

    run("initdb", "--auth=trust", "--encoding=UTF8", "--no-sync")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    run("pg_ctl", "-w", "-l", folder / "log", "-o", options, "start")
    yield f"postgresql+psycopg://{user or getpass.getuser()}@127.0.0.1:{port}/postgres"
    run("pg_ctl", "-w", "-m", "immediate", "stop")
    shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, shop, monkeypatch):
    """A database with an empty table of sales, and the shop's source pointing at it."""
    url = f"sqlite:///{shop.folder}/shop.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql")
    monkeypatch.setenv("SHOP_DB", url)
    shop.source = {"url_env": "SHOP_DB", "table": "sales", "columns": COLUMNS}
    shop.source["watermark"] = "updated_at"
    engine = sa.create_engine(url)

    def run(sql):
        with engine.begin() as connection:
            connection.execute(sa.text(sql))

    run("drop table if exists sales")
    run(CREATE)
    yield run
    engine.dispose()


def insert(number, client, day, total, updated):
    return (
        f"insert into sales values ({number}, '{client}', '2024-01-{day:02} 10:00:00', {total}, "
        f"'été', '2024-01-{updated:02} 11:00:00')"
    )


def amounts(shop):
    return [(r["client_id"], r["amount_minor"], r["ingested_on"].day) for r in shop.rows()]


def test_rows_are_ingested_with_exact_amounts(database, shop):
    database(insert(1, "a", 5, "10.10", 5))
    shop.ingest()
    assert [(r["client_id"], r["amount_minor"], r["text"]) for r in shop.rows()] == [
        ("a", 1010, "été")
    ]


def test_only_rows_after_the_watermark_are_asked_for(database, shop):
    for day in (5, 8):
        database(insert(day, "a", day, 1, day))
    shop.ingest()
    database(insert(9, "a", 9, 1, 9))
    lines = shop.ingest()[0]
    assert lines.startswith("transactions: read 2 rows = 1 accepted + 1 already ingested")
    assert [row[2] for row in amounts(shop)] == [5, 8, 9]


def test_a_row_that_commits_after_later_numbers_is_asked_for_too(database, shop):
    shop.source["watermark"] = "id"
    for number in (1, 2, 4):
        database(insert(number, "a", number, 1, 5))
    shop.ingest()
    database(insert(3, "b", 3, 1, 5))
    database(insert(5, "a", 9, 1, 9))
    shop.ingest()
    assert [client for client, *_ in amounts(shop)] == ["a", "a", "a", "a", "b"]


def test_a_late_correction_takes_back_what_was_known_and_holds_from_then_on(database, shop):
    database(insert(1, "a", 5, 10, 5))
    shop.ingest()
    database("update sales set total = 12, updated_at = '2024-01-08 09:00:00' where id = 1")
    database(insert(2, "b", 8, 1, 8))
    assert "1 correction of an ingested row" in shop.ingest()[0]
    assert amounts(shop) == [("a", 1000, 5), ("a", -1000, 8), ("a", 1200, 8), ("b", 100, 8)]
    before = shop.bytes()
    assert "0 accepted + 2 already ingested" in shop.ingest()[0]
    assert shop.bytes() == before


def test_a_correction_waits_for_a_new_day(database, shop):
    database(insert(1, "a", 5, 10, 5))
    shop.ingest()
    database("update sales set total = 12, updated_at = '2024-01-08 09:00:00'")
    assert "1 waiting for a new day" in shop.ingest()[0]
    database(insert(2, "b", 9, 1, 9))
    shop.ingest()
    assert sum(amount for client, amount, _ in amounts(shop) if client == "a") == 1200


def test_rows_that_wait_for_a_later_day_are_asked_for_again(database, shop):
    for day in (5, 6, 7):
        database(insert(day, "a", day, 1, day))
    for day in (5, 6, 7):
        shop.ingest(date(2024, 1, day))
    assert [row[2] for row in amounts(shop)] == [5, 6, 7]


def test_a_query_may_join_and_rename(database, shop):
    database(insert(1, "a", 5, 10, 5))
    shop.source = {
        "url_env": "SHOP_DB",
        "query": "select client, sold_at, total * 2 as twice from sales;",
        "columns": {"client_id": "client", "timestamp": "sold_at", "amount": "twice"},
    }
    shop.ingest()
    assert amounts(shop) == [("a", 2000, 5)]


def test_a_bad_row_is_quarantined_with_its_place_in_the_answer(database, shop):
    database(insert(1, "a", 5, 10, 5))
    database(insert(2, " ", 5, 10, 6))
    shop.ingest()
    assert shop.quarantined() == ['"SHOP_DB, sales",2,client, ,client_id is missing']


def test_what_the_database_refuses_is_told_without_its_address(database, shop):
    shop.source["table"] = "sails"
    with pytest.raises(DataError, match="the database of SHOP_DB refused sails: ") as error:
        shop.ingest()
    assert "sqlite:" not in str(error.value)
    assert "127.0.0.1" not in str(error.value)
    assert not paths.RAW.exists()


def test_what_a_database_says_of_a_secret_option_is_told_without_it(shop, monkeypatch, postgresql):
    monkeypatch.setenv("SHOP_DB", f"{postgresql}?sslmode=my-secret")
    shop.source = {"url_env": "SHOP_DB", "table": "sales", "columns": COLUMNS}
    with pytest.raises(DataError, match=r"refused sales: .*\*\*\*") as error:
        shop.ingest()
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "the environment variable SHOP_DB is not set, expected the address"),
        ("secret-words", "SHOP_DB is not a usable address of a database: ArgumentError"),
        ("fox://u:secret@h/d", "SHOP_DB is not a usable address of a database: NoSuch"),
        (
            "sqlite:///s.db?timeout=secret",
            "SHOP_DB is not a usable address of a database: Val",
        ),
        ("postgresql+psycopg://u:secret@h:port/d", "SHOP_DB is not a usable address"),
        ("postgresql+psycopg://u:my@secret@h/d", "SHOP_DB is not a usable address of a database"),
        ("sqlite:////nowhere/at/all.db", "the database of SHOP_DB refused sales: unable to open"),
    ],
)
def test_an_address_that_is_none_is_told_without_its_secrets(shop, monkeypatch, url, message):
    monkeypatch.setenv("SHOP_DB", url)
    shop.source = {"url_env": "SHOP_DB", "table": "sales", "columns": COLUMNS}
    with pytest.raises(DataError) as error:
        shop.ingest()
    assert message in str(error.value)
    assert "secret" not in str(error.value)


def test_client_attributes_come_from_a_database_too(database, shop):
    database("drop table if exists clients")
    database("create table clients (who varchar(9), since date, age integer, segment varchar(9))")
    database("insert into clients values ('a', '2024-01-04', 40, 'gold'), ('b', null, 1, 'x')")
    database("insert into sales values (1, 'a', '2024-01-05', 1.5, 'x', '2024-01-05')")
    shop.others["attributes"] = {
        "url_env": "SHOP_DB",
        "table": "clients",
        "columns": {
            "client_id": "who",
            "valid_from": "since",
            "numeric": {"age": "age"},
            "categorical": {"segment": "segment"},
        },
    }
    assert "attributes:   1 x valid_from is missing" in shop.ingest()
    [row] = shop.rows(paths.ATTRIBUTES)
    assert (row["number_age"], row["level_segment"]) == (40.0, "gold")
    assert row["valid_from"] == date(2024, 1, 4)
