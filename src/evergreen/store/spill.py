"""The memory that DuckDB may use in this process, and the folder to which it spills the rest."""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import tempfile
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path
from weakref import WeakSet

import duckdb

from evergreen.errors import FREE_SPACE, EvergreenError
from evergreen.settings import memory, paths
from evergreen.store import files

RESERVED_BYTES = 1 << 28
"""Disk space that is left to everything else."""
LEAST_SHARE = 4
_open: WeakSet[duckdb.DuckDBPyConnection] = WeakSet()
_numbers = itertools.count()
_lock = threading.Lock()


def connect(threads: int) -> duckdb.DuckDBPyConnection:
    """Open an in-memory database that spills to a folder of its own.

    All databases of a process share ``compute.memory``: a new one gets what the others don't use,
    at least a quarter. So no result may depend on the limit.
    """
    allowed = memory.limit()
    with _lock:
        free = allowed - sum(map(_used, list(_open)))
        folder = _process_folder(os.getpid(), Path.cwd())
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)  # `.cache` may be deleted at any time
        con = duckdb.connect(
            ":memory:",
            config={
                "threads": threads,
                "memory_limit": f"{max(free, allowed // LEAST_SHARE)}B",
                # created where something is spilled, and removed when the database is closed
                "temp_directory": str(folder / str(next(_numbers))) if folder else "",
            },
        )
        _open.add(con)
    return con


def _used(con: duckdb.DuckDBPyConnection) -> int:
    try:
        cursor = con.cursor()  # what the connection itself is reading stays open
        [(used,)] = cursor.sql(
            "select sum(memory_usage_bytes)::bigint from duckdb_memory()"
        ).fetchall()
    except duckdb.ConnectionException:  # closed
        return 0
    return int(used)


@cache
def _process_folder(process: int, here: Path) -> Path | None:
    """A folder for this process, which is removed when it ends; None where none can be written.

    It is in the repository of the working folder, or else where the system has temporary files.
    What killed processes left beside it is removed.
    """
    in_repository = (here / paths.PARAMS).is_file()
    for place in (here / paths.SPILL,) * in_repository + _places_outside():
        with suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            files.remove_left(place)
            folder = Path(
                tempfile.mkdtemp(f".{process}.unfinished", f".{place.name}.", place.parent)
            )
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            return folder
    return None


def _places_outside() -> tuple[Path, ...]:
    with suppress(OSError):
        return (Path(tempfile.gettempdir()) / f"evergreen-{os.getuid()}",)
    return ()


def check_space(needed: int) -> None:
    """Refuse work whose databases will need more than the memory and the free disk.

    Parameters
    ----------
    needed
        An estimate, in bytes.

    Raises
    ------
    EvergreenError
        With both.
    """
    allowed = memory.limit()
    folder = _process_folder(os.getpid(), Path.cwd())
    if needed > allowed and folder is not None:
        beside = f", beside the {memory.size_text(allowed)} of memory that `compute.memory` allows"
        check_free(needed - allowed + RESERVED_BYTES, folder.parent, beside)


def check_free(needed: int, folder: Path, beside: str = "") -> None:
    """Refuse work that will need more disk than is free.

    Parameters
    ----------
    needed
        An estimate, in bytes.
    beside
        What else it needs, for the message.

    Raises
    ------
    EvergreenError
        With what it needs, and what is free.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise EvergreenError(
            f"this needs about {memory.size_text(needed)} of free disk in {folder}{beside}; only "
            f"{memory.size_text(free)} are free",
            FREE_SPACE,
        )
