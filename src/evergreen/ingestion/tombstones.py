"""Clients that were forgotten: recognised by a keyed hash, so that ingestion leaves them out.

The records in git hold no ids. Ids are short, so a plain hash of one could be guessed; the key is a
secret that is neither committed nor pushed.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from evergreen.errors import DataError
from evergreen.ingestion.ingestion_report import EXCLUDED
from evergreen.ingestion.staging import MALFORMED
from evergreen.settings import paths
from evergreen.store import files
from evergreen.vcs.git import git

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb

KEY_VARIABLE = "EVERGREEN_FORGET_KEY"
REASON = f"{EXCLUDED}forgotten"
MARK = f"update incoming set status = {MALFORMED}, malformed = '{REASON}', value = null"
SHORTEST_KEY = 32
LOST = "if it is lost, see docs/forgetting.md"


class Tombstones:
    """The clients that were forgotten.

    Parameters
    ----------
    key
        The secret of the hashes.
    hashes
        As `keyed_hash` gives them.
    """

    def __init__(self, key: str, hashes: Iterable[str]) -> None:
        self._key, self._hashes = key, frozenset(hashes)
        self._known: dict[str, bool] = {}

    def hold(self, client: str) -> bool:
        """Whether a client was forgotten."""
        if client not in self._known:
            self._known[client] = keyed_hash(self._key, client) in self._hashes
        return self._known[client]

    def __bool__(self) -> bool:
        """Whether any client was forgotten."""
        return bool(self._hashes)


def keyed_hash(key: str, client: str) -> str:
    """HMAC-SHA256 of a client's id, in hexadecimal."""
    return hmac.digest(key.encode(), client.encode(), "sha256").hex()


def fingerprint(key: str) -> str:
    """What tells two keys apart and gives neither away."""
    return hmac.digest(key.encode(), b"evergreen forget", "sha256").hex()[:16]


def key_file() -> Path:
    """Where this clone keeps the key: in git's own folder, which is never committed."""
    return Path(git("rev-parse", "--git-common-dir").strip()) / "evergreen-forget.key"


def read_key() -> str | None:
    """The key: of the environment, or else of this clone; None without one.

    Raises
    ------
    DataError
        If it is too short to be one.
    """
    key, place = os.environ.get(KEY_VARIABLE, "").strip(), KEY_VARIABLE
    if not key:
        path = key_file()
        if not path.is_file():
            return None
        key, place = path.read_text("utf-8").strip(), str(path)
    if len(key) < SHORTEST_KEY:
        raise DataError(
            f"{place} holds {len(key)} characters, expected the key of the forgotten clients, "
            f"with at least {SHORTEST_KEY}",
            f"set {KEY_VARIABLE} to the key of the clone where they were forgotten; {LOST}",
        )
    return key


def keep_key(key: str) -> None:
    """Keep a key in this clone, readable by its owner alone."""
    with files.replacing(key_file()) as unfinished:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{key}\n")


def new_key() -> str:
    """A key that nobody can guess."""
    return secrets.token_hex(SHORTEST_KEY)


def read_tombstones() -> Tombstones:
    """The tombstones of every record, with the key to recognise their clients.

    Raises
    ------
    DataError
        If there are records, and no key or another one than they were made with.
    """
    records = [json.loads(path.read_text("utf-8")) for path in _record_files()]
    if not records:
        return Tombstones("", ())
    key = read_key()
    if key is None:
        raise DataError(
            f"{paths.FORGOTTEN} records clients who were forgotten, and the key that recognises "
            "them is not here: their rows would come back; nothing was changed",
            f"export {KEY_VARIABLE}=KEY, with the key of the clone where they were forgotten "
            f"(evergreen forget --show-key); {LOST}",
        )
    if any(record["key"] != fingerprint(key) for record in records):
        raise DataError(
            f"{paths.FORGOTTEN} has records that were made with another key, so their clients "
            "would come back; nothing was changed",
            f"set {KEY_VARIABLE} to that key (evergreen forget --show-key, where they were "
            f"forgotten); {LOST}",
        )
    return Tombstones(key, (client for record in records for client in record["clients"]))


def _record_files() -> list[Path]:
    return sorted(paths.FORGOTTEN.glob("*.json"))


def exclude_forgotten(con: duckdb.DuckDBPyConnection) -> None:
    """Mark the rows of forgotten clients in ``incoming`` as excluded, bad ones too.

    Raises
    ------
    DataError
        As `read_tombstones`.
    """
    tombstones = read_tombstones()
    if not tombstones:
        return
    clients = con.sql("select distinct client_id from incoming where client_id is not null")
    forgotten = [name for (name,) in clients.fetchall() if tombstones.hold(name)]
    con.execute(f"{MARK} where client_id in (select unnest(?::varchar[]))", [forgotten])
    if "row_id" in con.sql("from incoming").columns:  # further lines of an order name no client
        con.execute(
            f"{MARK} where client_id is null and (input, row_id) in "
            f"(select (input, row_id) from incoming where malformed = '{REASON}')"
        )
