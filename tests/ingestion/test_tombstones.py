"""Forgotten clients are recognised by a keyed hash, and their rows are left out."""

import json
import stat
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.errors import DataError
from evergreen.ingestion import tombstones
from evergreen.ingestion.rebuild import rebuild
from evergreen.settings import paths
from evergreen.store import client_rows, files
from evergreen.vcs.git import git

HEAD = "Client,Date,Total,Item\n"
KEY, OTHER_KEY = "k" * 32, "o" * 32
NOTES = {"files": "notes.csv", "columns": {"client_id": "Who", "timestamp": "On", "text": "Note"}}


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv(tombstones.KEY_VARIABLE, KEY)


def bury(*clients, key=KEY):
    hashes = [tombstones.keyed_hash(key, client) for client in clients]
    record = {"key": tombstones.fingerprint(key), "clients": hashes}
    files.write_json(record, paths.FORGOTTEN / "2024-01-31-1.json")


def line(client, day, amount="5.00"):
    return f"{client},2024-01-{day:02},{amount},silk\n"


ROWS = [line(f"c{n % 7}", 1 + n % 20, f"{n}.50") for n in range(40)]


def raw_rows(shop):
    return sorted(map(repr, shop.rows()))


@pytest.mark.parametrize("again", ["ingest", "rebuild"])
def test_a_source_that_still_holds_a_client_gives_what_one_without_gives(shop, again):
    bury("c3")
    shop.lay("1.csv", HEAD + "".join(ROWS))
    lines = shop.ingest()
    assert any("excluded: forgotten" in text for text in lines)
    with_tombstone = raw_rows(shop)
    if again == "rebuild":
        list(rebuild(shop.settings(), through=date(2024, 1, 31)))
    else:
        before = shop.bytes()
        shop.lay("2.csv", HEAD + "".join(ROWS))
        shop.ingest()
        assert shop.bytes().keys() == before.keys()
    assert raw_rows(shop) == with_tombstone
    assert not any(row["client_id"] == "c3" for row in shop.rows())
    files.remove(paths.RAW)
    files.remove(paths.FORGOTTEN)
    for path in (shop.folder / "inbox").iterdir():
        path.unlink()
    shop.lay("1.csv", HEAD + "".join(row for row in ROWS if not row.startswith("c3")))
    shop.ingest()
    assert raw_rows(shop) == with_tombstone


def test_ingested_rows_that_were_removed_do_not_come_back(shop):
    shop.lay("1.csv", HEAD + "".join(ROWS))
    shop.ingest()
    bury("c3")
    for path in client_rows.table_files():
        client_rows.write_without(path, {"c3"}.__contains__)
    before = raw_rows(shop)
    shop.lay("1.csv", HEAD + "".join(ROWS) + line("c4", 21))
    shop.ingest()
    report = json.loads((paths.QUARANTINE / "transactions-2024-01-31.json").read_text())
    assert report["excluded"] == {"forgotten": sum(row.startswith("c3") for row in ROWS)}
    assert report["accepted"] == 1
    assert len(raw_rows(shop)) == len(before) + 1


def test_bad_rows_of_forgotten_clients_are_not_listed(shop):
    bury("c3")
    shop.lay("1.csv", HEAD + line("c3", 1, "many") + line("c4", 1, "few") + line("c4", 2))
    shop.ingest()
    assert len(shop.quarantined()) == 1
    assert "few" in shop.quarantined()[0]


def test_notes_of_forgotten_clients_are_left_out(shop):
    bury("c3")
    shop.lay("1.csv", HEAD + "".join(ROWS))
    (shop.folder / "notes.csv").write_text("Who,On,Note\nc3,2024-01-02,hello\nc4,2024-01-02,bye\n")
    shop.others["notes"] = NOTES
    shop.ingest()
    assert [row["client_id"] for row in shop.rows(paths.NOTES)] == ["c4"]


def test_further_lines_of_an_order_go_with_its_client(shop):
    bury("c3")
    shop.source["columns"] |= {"invoice_id": "Order"}
    shop.source["amount_per"] = "order"
    head = "Client,Date,Total,Item,Order\n"
    further = ",2024-01-01,,belt,o1\n"
    shop.lay("1.csv", f"{head}c3,2024-01-01,5.00,silk,o1\n{further}c4,2024-01-02,5.00,silk,o2\n")
    shop.ingest()
    assert shop.quarantined() == []
    assert [row["client_id"] for row in shop.rows()] == ["c4"]


@pytest.mark.parametrize("key", ["", OTHER_KEY, "short"])
def test_without_the_key_nothing_is_ingested(shop, key, monkeypatch):
    git("init", "--quiet")
    bury("c3")
    monkeypatch.setenv(tombstones.KEY_VARIABLE, key)
    shop.lay("1.csv", HEAD + "".join(ROWS))
    with pytest.raises(DataError, match="key") as error:
        shop.ingest()
    assert tombstones.KEY_VARIABLE in str(error.value.next_step)
    assert not paths.TRANSACTIONS.exists()


def test_a_key_is_made_once_for_its_owner_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(tombstones.KEY_VARIABLE)
    git("init", "--quiet")
    assert tombstones.read_key() is None
    key = tombstones.new_key()
    tombstones.keep_key(key)
    assert tombstones.read_key() == key
    assert stat.S_IMODE(tombstones.key_file().stat().st_mode) == 0o600
    assert git("status", "--porcelain") == ""


@given(clients=st.sets(st.text(min_size=1)), other=st.text(min_size=1))
def test_tombstones_hold_their_clients_alone_and_show_none(clients, other):
    hashes = {tombstones.keyed_hash(KEY, client) for client in clients}
    held = tombstones.Tombstones(KEY, hashes)
    assert all(held.hold(client) for client in clients)
    assert held.hold(other) == (other in clients)
    assert hashes.isdisjoint(tombstones.keyed_hash(OTHER_KEY, client) for client in clients)
