"""Results of earlier runs, found by the digest of everything they were computed from.

DVC deletes the outputs of a stage before the stage runs again, so the cache is outside of the
pipeline. It does not change what a stage writes: an entry is used only for the same code,
libraries, machine, settings and data, and a missing entry is computed again.
"""

from __future__ import annotations

import shutil
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping
from datetime import date
from functools import cached_property
from itertools import accumulate
from pathlib import Path

from filelock import FileLock

from evergreen.settings import paths
from evergreen.store import digests, files, models, tables
from evergreen.store.machine import platform_class

CODE = Path(__file__).parents[1]


class Cache:
    """Files and folders in ``.cache/made``, each complete or absent.

    Attributes
    ----------
    seconds_spared
        The time that others spent on what was found in the cache.
    """

    def __init__(self) -> None:
        environment = {
            "code": files.digests(CODE, pattern="*.py"),
            "libraries": models.library_versions(),
            "platform": platform_class(),
        }
        self._environment = {"environment": files.digest_of(environment)}
        self._used: set[str] = set()
        self._ready: set[Path] = set()
        self.seconds_spared = 0.0

    def entry(self, kind: str, made_from: Mapping[str, object]) -> Path:
        """The path of the result computed from these values, whether it exists or not."""
        name = f"{kind}-{files.digest_of(self._environment | dict(made_from))}"
        self._used.add(name)
        return paths.CACHE / name

    def folder(
        self, kind: str, made_from: Mapping[str, object], make: Callable[[Path], object]
    ) -> Path:
        """Return the folder computed from these values, and compute it if it does not exist."""

        def make_folder(unfinished: Path) -> None:
            unfinished.mkdir()
            make(unfinished)

        return self.file(kind, made_from, make_folder)

    def file(
        self, kind: str, made_from: Mapping[str, object], make: Callable[[Path], object]
    ) -> Path:
        """Return the file computed from these values, and compute it if it does not exist."""
        entry = self.entry(kind, made_from)
        if entry in self._ready:
            return entry
        entry.parent.mkdir(parents=True, exist_ok=True)
        started, duration = time.perf_counter(), entry.with_name(f".{entry.name}.seconds")
        with FileLock(
            entry.with_name(f".{entry.name}.lock")
        ):  # another process may be computing it
            if not entry.exists():
                with files.replacing(entry) as unfinished:
                    make(unfinished)
                    files.write_text(str(time.perf_counter() - started), duration)
            elif duration.is_file():
                waited = time.perf_counter() - started
                self.seconds_spared += max(0.0, float(duration.read_text("utf-8")) - waited)
        self._ready.add(entry)
        return entry

    def raw_known_by(self, day: date) -> str:
        """The digest of all rows ingested before a date, in all raw tables."""
        days, so_far = self._raw
        return so_far[bisect_left(days, day) - 1]

    @cached_property
    def _raw(self) -> tuple[list[date], list[str]]:
        partitions = sorted(
            (day, path)
            for folder in paths.RAW.glob("*/")
            for day, path in tables.partitions(folder).items()
        )
        known = digests.of_files(path for _, path in partitions)
        so_far = accumulate(
            (path for _, path in partitions),
            lambda digest, path: files.digest_of([digest, str(path), known[path]]),
            initial="",
        )
        return [date.min, *(day for day, _ in partitions)], list(so_far)

    def forget_unused(self) -> None:
        """Remove the entries that this run did not use, of the kinds that it did use."""
        kinds = {_kind(name) for name in self._used}
        for path in paths.CACHE.glob("*"):
            if path.name not in self._used and _kind(path.name) in kinds:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _kind(name: str) -> str:
    return name.lstrip(".").partition("-")[0]
