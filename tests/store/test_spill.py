import subprocess
import sys
from datetime import date, timedelta

import duckdb
import pytest

from evergreen.core.events import transactions
from evergreen.core.events.ledger import create_ledger, create_texts
from evergreen.errors import EvergreenError, explained
from evergreen.settings import memory, paths
from evergreen.store import spill, tables

TINY = 60_000_000


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """An empty folder with ``params.yaml``, as the working folder."""
    monkeypatch.chdir(tmp_path)
    paths.PARAMS.write_text("compute: {memory: 1GB}\n")
    return tmp_path


def limit_of(con):
    [(text,)] = con.sql(
        "select value from duckdb_settings() where name = 'memory_limit'"
    ).fetchall()
    return float(text.split()[0]) * {"MiB": 2**20, "GiB": 2**30}[text.split()[1]]


def test_a_database_has_the_memory_of_the_repository_and_its_own_folder(repository):
    one, two = tables.connect(1), tables.connect(1)
    assert limit_of(one) == pytest.approx(1e9, rel=0.01)
    folders = {
        con.sql("select value from duckdb_settings() where name = 'temp_directory'").fetchall()[0]
        for con in (one, two)
    }
    assert len(folders) == 2
    assert all(str(repository / ".cache/.spill.") in folder for (folder,) in folders)


def test_databases_of_a_process_share_its_memory(repository):
    one = tables.connect(1)
    one.execute("create table t as select i, md5(i::varchar) as x from range(4_000_000) t(i)")
    other = tables.connect(1)
    assert 0.25e9 < limit_of(other) < 0.95e9
    one.close()
    assert limit_of(tables.connect(1)) == pytest.approx(1e9, rel=0.01)


def test_what_is_spilled_goes_when_the_process_ends_or_the_next_one_starts(repository):
    code = (
        "from evergreen.store import tables; from pathlib import Path; import os\n"
        "con = tables.connect(1); con.execute(\"set memory_limit = '20MB'\")\n"
        "con.execute('create table t as select md5(i::varchar) as x from range(1_000_000) t(i)')\n"
        "assert list(Path('.cache').glob('.spill.*/*/*')), 'nothing was spilled'\n"
    )
    run = [sys.executable, "-c"]
    killed = subprocess.run([*run, code + "os.kill(os.getpid(), 9)"], check=False)
    assert killed.returncode == -9
    assert list((repository / ".cache").iterdir())
    subprocess.run([*run, code], check=True)
    assert not list((repository / ".cache").iterdir())


def test_outside_of_a_repository_it_spills_to_the_temporary_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(spill.tempfile, "tempdir", str(tmp_path / "temporary"))
    tables.connect(1)
    [folder] = (tmp_path / "temporary").iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700  # clients are nobody else's business
    assert not (tmp_path / ".cache").exists()


def write_history():
    """Rows of 5,000 clients on 50 days, 50 rows each."""
    con = tables.connect(2)
    for day in range(50):
        known = date(2024, 1, 1) + timedelta(days=day)
        rows = con.sql(
            f"""
            select 'client ' || md5((i % 5000)::varchar) as client_id,
                   timestamp '{known} 12:00:00' + to_seconds(i) as timestamp,
                   (100 + i % 7)::bigint as amount_minor, 1.0::double as quantity,
                   md5((i % 20000)::varchar) as text, i::varchar as invoice_id,
                   date '{known}' as ingested_on
            from range({day * 5000}, {day * 5000 + 5000}) t(i)
            """
        )
        table = rows.to_arrow_table().select(transactions.SCHEMA.names).cast(transactions.SCHEMA)
        tables.write(table, tables.partition_path(paths.TRANSACTIONS, known))


def test_a_limit_that_makes_it_spill_changes_no_byte(repository, monkeypatch):
    write_history()

    def ledger(limit):
        monkeypatch.setattr(memory, "limit", lambda: limit)
        con = tables.connect(2)
        tables.view_transactions(con, known_by=date(2024, 2, 20), max_lag_days=0)
        tables.view_notes(con, known_by=date(2024, 2, 20))
        create_ledger(con)
        create_texts(con, max_chars=100)
        spilled = con.sql("from duckdb_temporary_files()").fetchall()
        files = []
        for table in ("ledger", "text_ledger"):
            file = repository / f"{table}-{limit}"
            tables.write(con.sql(f"from {table} order by all").to_arrow_table(), file)
            files.append(file.read_bytes())
        return files, bool(spilled)

    tight, spilled = ledger(TINY)
    assert spilled
    ample, spilled = ledger(2_000_000_000)
    assert not spilled
    assert tight == ample


def test_a_lack_of_memory_names_the_setting():
    con = duckdb.connect(config={"memory_limit": "20MB", "temp_directory": ""})
    rows = "select md5(i::varchar) as x from range(2_000_000) t(i) order by 1"
    with pytest.raises(duckdb.OutOfMemoryException) as error:
        con.sql(rows).fetchall()
    assert str(explained(error.value)) == (
        "this needs more memory than the 19.0 MiB that `compute.memory` allows\n"
        "Next: raise `compute.memory` in params.yaml, then run the same command again: it "
        "continues where this one stopped"
    )


def test_a_spill_that_fills_the_disk_asks_for_free_space():
    error = duckdb.OutOfMemoryException(
        "Out of Memory Error: failed to offload data block of size 256.0 KiB (1.0 GiB/1.0 GiB "
        "used).\nThis limit was set by the 'max_temp_directory_size' setting."
    )
    assert str(explained(error)) == (
        "the disk is full: no room to spill more beside the 1.0 GiB that are there\n"
        "Next: free some space, or raise `compute.memory` in params.yaml, then run the same "
        "command again: it continues where this one stopped"
    )


def test_a_lack_of_disk_is_told_before_the_work_begins(repository, monkeypatch):
    spill.check_space(5_000_000_000)
    with pytest.raises(EvergreenError) as error:
        spill.check_space(10**18)
    assert str(error.value).startswith(
        f"this needs about 1e+09GB of free disk in {repository}/.cache, beside the 1GB of memory "
        "that `compute.memory` allows; only "
    )
