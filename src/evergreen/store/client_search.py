"""Search files of any kind for a client's id: tables column by column, everything else as text."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import sqlite3
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

IS_ID = re.compile(
    r"^(?!.*(invoice|order|product|article|item|row|transaction))"
    r".*(client|customer|user|account|member|buyer|person|(^|[^a-z])ids?($|[^a-z]))"
)
"""Columns and keys in which a number may be a client."""
KEY_OF_LINE = re.compile(r"""^\W*([\w -]+?)["']?\s*[:=]""")
SHORTEST_IN_BINARY = SHORTEST_NUMBER = 5
"""Shorter ids occur in compressed content by chance, and shorter numbers in texts mean anything."""
DEEPEST = 3
"""Levels of archives in archives that are searched."""


def mentions(text: str, client: str) -> bool:
    """Whether a text holds an id as a word of its own, not inside another word or number.

    >>> mentions("client 17850 called", "17850"), mentions("117850, 17850.5", "17850")
    (True, False)
    """
    return _pattern(client).search(text) is not None


def is_named_in(name: str, content: bytes, client: str) -> str | None:
    """Where a file's content holds a client's id: such as ``column client_id``; None if nowhere.

    A number counts only in a column or under a key that names clients, as it may be any figure.

    Parameters
    ----------
    name
        Of the file, whose ending may tell its format.
    """
    return next(_places(name, content, client, DEEPEST), None)


def _pattern(client: str) -> re.Pattern[str]:
    before, after = r"(?<!\w)", r"(?!\w)"
    if client.isdigit():  # not in 2017-04-01, 1.5, 12:30 or -1
        before, after = r"(?<![\w-])(?<!\w[./:])", r"(?!\w)(?![-./:]\w)"
    return re.compile(f"{before}{re.escape(client)}{after}")


def _places(name: str, content: bytes, client: str, depth: int) -> Iterator[str]:
    for begins, read in READERS.items():
        if content.startswith(begins) or content[8 : 8 + len(begins)] == begins == b"DUCK":
            try:
                yield from read(content, client)
            except READ_ERRORS:
                yield from _in_text(content, client)
            return
    if depth and (parts := _unpacked(content)):
        for part, inside in parts:
            for place in _places(part or name.removesuffix(".gz"), inside, client, depth - 1):
                yield f"{part}: {place}" if part else place
        return
    kind = PurePath(name).suffix.lower()
    if kind in (".json", ".ipynb"):
        try:
            yield from _in_json(json.loads(content), client, "")
        except ValueError:
            yield from _in_text(content, client)
    elif kind in (".csv", ".tsv"):
        yield from _in_csv(content.decode(errors="replace"), client)
    else:
        yield from _in_text(content, client)


def _in_cell(cell: object, column: str, client: str) -> bool:
    """Whether a cell of a table is or holds the id."""
    text = "" if cell is None else str(cell).strip()
    if client.isdigit() and text.removesuffix(".0") == client:
        return IS_ID.search(column.lower()) is not None
    return text == client or (isinstance(cell, str) and _is_told_in(text, client))


def _is_told_in(text: str, client: str) -> bool:
    """Whether a longer text mentions the id; short numbers are anything."""
    if client not in text or (client.isdigit() and len(client) < SHORTEST_NUMBER):
        return False
    return mentions(text, client)


def _in_table(table: pa.Table, client: str) -> Iterator[str]:
    for column in table.column_names:
        values = table[column]
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        if not _may_hold_ids(column, values.type):
            continue
        if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
            values = values.filter(pc.match_substring(values, client))
        if any(_in_cell(cell, column, client) for cell in values.unique().to_pylist()):
            yield f"column {column}"


def _may_hold_ids(column: str, kind: pa.DataType) -> bool:
    """Whether a column has texts, or a name of ids."""
    of_texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_dictionary)
    return any(is_one(kind) for is_one in of_texts) or IS_ID.search(column.lower()) is not None


def _in_parquet(content: bytes, client: str) -> Iterator[str]:
    with pq.ParquetFile(io.BytesIO(content)) as file:
        for field in file.schema_arrow:  # one at a time: most are figures, which are not read
            if _may_hold_ids(field.name, field.type):
                yield from _in_table(file.read([field.name]), client)


def _in_arrow(content: bytes, client: str) -> Iterator[str]:
    yield from _in_table(pa.ipc.open_file(content).read_all(), client)


def _in_npy(content: bytes, client: str) -> Iterator[str]:
    array = np.load(io.BytesIO(content), allow_pickle=False)
    if array.dtype.kind in "US" and client in array.astype(str):
        yield "an array"


def _in_sqlite(content: bytes, client: str) -> Iterator[str]:
    con = sqlite3.connect(":memory:")
    con.deserialize(content)
    for (table,) in con.execute("select name from sqlite_master where type = 'table'").fetchall():
        rows = con.execute(f'select * from "{table}"')
        columns = [name for name, *_ in rows.description]
        yield from _in_rows(columns, rows, client, f"table {table}, ")


def _in_duckdb(content: bytes, client: str) -> Iterator[str]:
    import tempfile  # noqa: PLC0415 - for this kind alone

    with tempfile.NamedTemporaryFile(suffix=".duckdb") as file:
        file.write(content)
        file.flush()
        with duckdb.connect(file.name, read_only=True) as con:
            for (table,) in con.execute("select table_name from duckdb_tables()").fetchall():
                found = con.sql(f'from "{table}"').to_arrow_table()
                yield from (f"table {table}, {place}" for place in _in_table(found, client))


def _in_rows(columns: list[str], rows: Any, client: str, where: str) -> Iterator[str]:  # noqa: ANN401
    found = {
        name
        for row in rows
        for name, cell in zip(columns, row, strict=False)
        if _in_cell(cell, name, client)
    }
    yield from (f"{where}column {name}" for name in columns if name in found)


def _in_csv(text: str, client: str) -> Iterator[str]:
    if client not in text:
        return
    lines = text.splitlines()
    separator = max(",;\t|", key=lines[0].count)
    rows = csv.reader(lines, delimiter=separator)
    header = next(rows, [])
    if any(_in_cell(cell, "id", client) for cell in header):
        yield "the first line"
    yield from _in_rows(header, rows, client, "")


def _in_json(value: object, client: str, key: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            if _in_cell(name, key, client):
                yield f"a key of {key}" if key else "a key"
            yield from _in_json(item, client, name)
    elif isinstance(value, list):
        for item in value:
            yield from _in_json(item, client, key)
    elif _in_cell(value, key, client):
        yield f"key {key}"


def _in_text(content: bytes, client: str) -> Iterator[str]:
    wanted = client.encode()
    if wanted not in content:
        return
    try:
        text = content.decode()
    except UnicodeDecodeError:
        byte_by_byte = content.decode("latin-1")
        if len(wanted) >= SHORTEST_IN_BINARY and mentions(byte_by_byte, wanted.decode("latin-1")):
            yield "its bytes"
        return
    for number, line in enumerate(text.splitlines(), 1):
        if client in line and mentions(line, client) and _counts(line, client):
            yield f"line {number}"


def _counts(line: str, client: str) -> bool:
    """Whether a line names the client rather than a figure, as ``size: 17850`` does."""
    if not client.isdigit():
        return True
    if key := KEY_OF_LINE.match(line):
        return IS_ID.search(key[1].lower()) is not None
    return len(client) >= SHORTEST_NUMBER


def _unpacked(content: bytes) -> list[tuple[str, bytes]]:
    """The parts of an archive or compressed file by name; none if it is neither."""
    try:
        if content[:2] == b"\x1f\x8b":
            return [("", gzip.decompress(content))]
        if content[:4] == b"PK\x03\x04":
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                return [(name, archive.read(name)) for name in archive.namelist()]
        if content[:1] == b"\x78":  # joblib
            return [("", zlib.decompress(content))]
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError):
        pass
    return []


READERS: dict[bytes, Callable[[bytes, str], Iterator[str]]] = {
    b"PAR1": _in_parquet,
    b"ARROW1": _in_arrow,
    b"\x93NUMPY": _in_npy,
    b"SQLite format 3\x00": _in_sqlite,
    b"DUCK": _in_duckdb,
}
READ_ERRORS = (pa.ArrowException, ValueError, sqlite3.Error, duckdb.Error, OSError)
