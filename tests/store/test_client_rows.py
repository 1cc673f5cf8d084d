"""The rows of some clients are found in tables and left out of them; other bytes stay."""

from datetime import datetime

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.store import client_rows, tables

SCHEMA = tables.NOTES


def notes(clients):
    time = datetime(2024, 1, 1)
    rows = [
        {"client_id": c, "timestamp": time, "text": f"note {n}", "ingested_on": time.date()}
        for n, c in enumerate(clients)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


@settings(max_examples=25)
@given(clients=st.lists(st.sampled_from("abcde")), gone=st.sets(st.sampled_from("abcde")))
def test_a_table_without_clients_is_the_one_that_never_had_them(tmp_path_factory, clients, gone):
    folder = tmp_path_factory.getbasetemp()
    path, other = folder / "all.parquet", folder / "others.parquet"
    tables.write(notes(clients), path)
    assert client_rows.count_rows(path, gone.__contains__) == sum(c in gone for c in clients)
    client_rows.write_without(path, gone.__contains__)
    kept = notes(clients).filter(pa.array([c not in gone for c in clients], pa.bool_()))
    tables.write(kept, other)
    assert path.read_bytes() == other.read_bytes()


def test_a_file_without_clients_is_none_of_the_tables(tmp_path):
    for name, content in {"a.parquet": b"PAR1 damaged", "b.parquet": b"", "c.txt": b"a"}.items():
        (tmp_path / name).write_bytes(content)
        assert client_rows.count_rows(tmp_path / name, {"a"}.__contains__) == 0
    tables.write(pa.table({"value": ["a"]}), tmp_path / "d.parquet")
    assert client_rows.count_rows(tmp_path / "d.parquet", {"a"}.__contains__) == 0
