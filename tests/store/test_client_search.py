"""A client's id is found in files of any kind, and not in figures that look like it."""

import gzip
import io
import json
import sqlite3
import zipfile

import duckdb
import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.store import tables
from evergreen.store.client_search import is_named_in, mentions

FRAME = pd.DataFrame({"Customer ID": ["17849", "17850"], "amount": [17850, 2], "note": ["a", "b"]})


def of_file(path, write):
    write(path)
    return path.read_bytes()


def as_duckdb(frame, path):
    with duckdb.connect(str(path)) as con:
        con.register("frame", frame)
        con.execute("create table sales as from frame")


def as_sqlite(frame, path):
    con = sqlite3.connect(path)
    frame.to_sql("sales", con, index=False)
    con.close()


def as_npz(frame, path):
    np.savez(path.with_suffix(".npz"), clients=frame["Customer ID"].to_numpy("U"))
    path.with_suffix(".npz").rename(path)


def as_arrow(frame, path):
    table = pa.Table.from_pandas(frame, preserve_index=False)
    with pa.ipc.new_file(str(path), table.schema) as file:
        file.write_table(table)


KINDS = {
    "parquet": tables.write_frame,
    "arrow": as_arrow,
    "csv": lambda frame, path: frame.to_csv(path, index=False),
    "tsv": lambda frame, path: frame.to_csv(path, index=False, sep="\t"),
    "json": lambda frame, path: frame.to_json(path, orient="records"),
    "csv.gz": lambda frame, path: path.write_bytes(gzip.compress(frame.to_csv().encode())),
    "joblib": lambda frame, path: joblib.dump(list(frame["Customer ID"]), path, compress=3),
    "sqlite": as_sqlite,
    "duckdb": as_duckdb,
    "npz": as_npz,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("client", ["17850", "c-17850", "Zoë Ålund"])
def test_an_id_is_found_in_every_kind_of_file(kind, client, tmp_path):
    def content(*clients):
        frame = FRAME.assign(**{"Customer ID": clients})
        return of_file(tmp_path / f"{clients[1]}.{kind}", lambda path: KINDS[kind](frame, path))

    assert is_named_in(f"sales.{kind}", content("x", client), client)
    assert is_named_in(f"sales.{kind}", content("x", f"{client}1"), client) is None


@given(
    client=st.integers(0, 99999).map(str), other=st.integers(0, 10**9), digits=st.integers(0, 99)
)
def test_a_number_inside_another_one_is_not_an_id(client, other, digits):
    for text in (f"{digits}{client}", f"{client}.{digits}", f"{digits}.{client}", f"-{client}"):
        assert not mentions(f"of {text} in all", client) or text == client
    assert mentions(f"of {client} in all", client)
    assert (
        is_named_in("a.json", json.dumps({"rows": other, "size": int(client)}).encode(), client)
        is None
    )
    assert is_named_in("dvc.lock", f"    size: {client}\n".encode(), client) is None
    assert is_named_in("p.yaml", f"  client_id: {client}\n".encode(), client) == "line 1"


def test_numbers_count_in_columns_and_keys_that_name_clients():
    table = pa.table({"amount_minor": [17850], "invoice_id": ["17850"], "row_id": ["17850"]})
    sink = io.BytesIO()
    pa.parquet.write_table(table, sink)
    assert is_named_in("a", sink.getvalue(), "17850") is None
    by_client = pa.table({"CustomerID": [17850.0]})
    sink = io.BytesIO()
    pa.parquet.write_table(by_client, sink)
    assert is_named_in("a", sink.getvalue(), "17850") == "column CustomerID"
    assert is_named_in("a.json", b'{"client": 17850}', "17850") == "key client"


def test_a_short_number_in_a_text_means_anything():
    report = b"| 8 | 93 clients |\nclient: 8\n"
    assert is_named_in("report.md", report, "8") == "line 2"
    assert is_named_in("report.md", report, "93") is None


def test_a_workbook_and_a_text_inside_are_found():
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("xl/sharedStrings.xml", "<t>c000156</t>")
    assert is_named_in("a.xlsx", sink.getvalue(), "c000156") == "xl/sharedStrings.xml: line 1"
    notes = pa.table({"text": ["a friend of c000156, who called"]})
    sink = io.BytesIO()
    pa.parquet.write_table(notes, sink)
    assert is_named_in("notes.parquet", sink.getvalue(), "c000156") == "column text"


def test_damaged_files_are_searched_as_text():
    for begins in (
        b"PAR1",
        b"ARROW1",
        b"\x93NUMPY",
        b"SQLite format 3\x00",
        b"PK\x03\x04",
        b"\x1f\x8b",
    ):
        assert is_named_in("a", begins + b" c000156 \xff", "c000156") == "its bytes"
