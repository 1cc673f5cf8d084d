"""Pin the inputs of a run with DVC, so that `dvc repro` is a pure function of them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from evergreen import paths
from evergreen.errors import DataError, EvergreenError
from evergreen.store import predictions, releases, tables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from evergreen.params import Settings


def pin(settings: Settings) -> Iterator[str]:
    """Lay the inputs that a first run lacks, and put all of them under DVC's care.

    A first run has made no predictions and has no champion; both are written as such. Where the
    repository names other content than that, it belongs to a later run, and is not overwritten.

    Yields
    ------
    str
        What was done, a line each.

    Raises
    ------
    DataError
        If there are no transactions, or an input that was pinned elsewhere is not to be had.
    """
    if not tables.partitions(paths.TRANSACTIONS):
        raise DataError(
            f"{paths.TRANSACTIONS} holds no transactions to pin",
            "evergreen ingest --demo complete-journey, or `dvc pull` where a remote has them",
        )
    for folder in (paths.PREDICTIONS, paths.CHAMPION):
        if not folder.exists():
            yield _lay(folder, settings)
    _dvc("add", "--quiet", str(paths.RAW), str(paths.PREDICTIONS), str(paths.CHAMPION))
    yield f"pinned {paths.RAW}, {paths.PREDICTIONS}, {paths.CHAMPION}"


def _lay(folder: Path, settings: Settings) -> str:
    """Bring an input back from DVC's cache, or write the empty one of a first run."""
    pinned = folder.with_name(folder.name + ".dvc")
    before = pinned.read_text(encoding="utf-8") if pinned.exists() else None
    if before is not None and _dvc("checkout", "--quiet", str(pinned), check=False):
        return f"{folder}: taken from DVC's cache"
    if folder == paths.CHAMPION:
        releases.write_empty_release(folder)
    else:
        predictions.write_none(folder, settings.targets)
    _dvc("add", "--quiet", str(folder))
    if before is not None and pinned.read_text(encoding="utf-8") != before:
        shutil.rmtree(folder)
        pinned.write_text(before, encoding="utf-8")
        raise DataError(
            f"{pinned} names content of a later run, which is neither here nor in DVC's cache",
            f"dvc pull {pinned}; where no remote has it, check out the commit of the first run",
        )
    return f"{folder}: empty, as in every first run"


def _dvc(*arguments: str, check: bool = True) -> bool:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments], check=False, capture_output=True, text=True
    )
    if check and done.returncode:
        said = f"{done.stdout.strip()} {done.stderr.strip()}".strip()
        raise EvergreenError(
            f"`dvc {' '.join(arguments)}` ended with {done.returncode}: {said}", "dvc doctor"
        )
    return done.returncode == 0
