"""What one run has computed and a later one needs again, by the digest of all it was made from.

DVC deletes what a stage has written before the stage runs again, so this lies beside the pipeline.
It changes no byte of what a stage writes: an entry is found only where code, libraries, machine,
settings and data are those that it was made with, and a folder that is lost is made again.
"""

from __future__ import annotations

import shutil
import time
from bisect import bisect_left
from datetime import date
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from filelock import FileLock

from evergreen.settings import paths
from evergreen.store import files, models, tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import pandas as pd

CODE = Path(__file__).parents[1]


class Cache:
    """Files and folders under ``.cache/made``, each made whole or not at all.

    Attributes
    ----------
    seconds_spared
        How long others have worked at the folders that were found here ready.
    """

    def __init__(self) -> None:
        made_with = {
            "code": files.digests(CODE, pattern="*.py"),
            "libraries": models.library_versions(),
            "platform": models.platform_class(),
        }
        self._made_with = {"made_with": files.digest_of(made_with)}
        self._used: set[str] = set()
        self._ready: set[Path] = set()
        self.seconds_spared = 0.0

    def entry(self, kind: str, made_from: Mapping[str, object]) -> Path:
        """Where the result stands, or is to stand, that was made from these values."""
        name = f"{kind}-{files.digest_of(self._made_with | dict(made_from))}"
        self._used.add(name)
        return paths.CACHE / name

    def folder(
        self, kind: str, made_from: Mapping[str, object], make: Callable[[Path], object]
    ) -> Path:
        """The folder that was made from these values; made now where it is not there yet."""
        entry = self.entry(kind, made_from)
        if entry in self._ready:
            return entry
        entry.parent.mkdir(parents=True, exist_ok=True)
        started, taken = time.perf_counter(), entry.with_name(f".{entry.name}.seconds")
        with FileLock(entry.with_name(f".{entry.name}.lock")):  # another process may be at it
            if not entry.is_dir():
                with files.replacing(entry) as unfinished:
                    unfinished.mkdir()
                    make(unfinished)
                    files.write_text(str(time.perf_counter() - started), taken)
            elif taken.is_file():
                waited = time.perf_counter() - started
                self.seconds_spared += max(0.0, float(taken.read_text("utf-8")) - waited)
        self._ready.add(entry)
        return entry

    def keep(self, table: pa.Table, entry: Path) -> None:
        """Keep a table, as Arrow has it in memory.

        To open a Parquet file of a hundred columns and few rows takes ten times as long as to map
        such a file, and a run opens hundreds.
        """
        with (
            files.replacing(entry, shared=True) as unfinished,
            pa.ipc.new_file(unfinished, table.schema) as file,
        ):
            file.write_table(table)

    @staticmethod
    def read(entries: Iterable[Path]) -> pd.DataFrame:
        """The rows of some tables that were kept, one after the other."""
        kept = [pa.ipc.open_file(pa.memory_map(str(entry))).read_all() for entry in entries]
        frame: pd.DataFrame = pa.concat_tables(kept).to_pandas()
        return frame

    def raw_known_by(self, day: date) -> str:
        """The digest of all rows that had come in before a date, in all raw tables."""
        days, digests = self._raw
        return digests[bisect_left(days, day) - 1]

    @cached_property
    def _raw(self) -> tuple[list[date], list[str]]:
        found = sorted(
            (day, path)
            for folder in paths.RAW.glob("*/")
            for day, path in tables.partitions(folder).items()
        )
        so_far = accumulate(
            found,
            lambda digest, file: files.digest_of([digest, str(file[1]), files.sha256(file[1])]),
            initial="",
        )
        return [date.min, *(day for day, _ in found)], list(so_far)

    def forget_unused(self) -> None:
        """Remove every entry that this run had no use for."""
        for path in paths.CACHE.glob("*"):
            if path.name not in self._used:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
