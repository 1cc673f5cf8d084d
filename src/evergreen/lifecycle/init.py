"""Create a repository for other data, with the code and the settings of this one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from evergreen.errors import EvergreenError, SettingsError
from evergreen.ingestion.conversion import LATEST
from evergreen.ingestion.ingest import Preview, preview
from evergreen.ingestion.sniffing import SniffedColumn, sniff
from evergreen.lifecycle import params_file
from evergreen.lifecycle.check import check
from evergreen.settings import paths
from evergreen.settings.loading import parse_settings
from evergreen.settings.names import Demo
from evergreen.vcs.git import git
from evergreen.vcs.tracked_paths import PINS, ROLLBACK_PIN

LAST_DAY = date.fromisoformat(LATEST) - timedelta(days=1)
OF_OTHER_DATA = (str(paths.DVC_LOCK), "history/", "reports/", *PINS, ROLLBACK_PIN)


def sniff_files(pattern: str) -> tuple[str, list[SniffedColumn]]:
    """The name of the first file that matches, and its columns; see `sniff`."""
    with _elsewhere():
        return sniff(pattern)


def preview_source(transactions: dict[str, Any], timezone: str | None = None) -> Preview:
    """Read a source as a new repository would, whatever its date; leave no trace.

    Parameters
    ----------
    transactions
        As for `begin`, but with absolute globs of files.

    Raises
    ------
    SettingsError
        If the settings are not valid.
    DataError
        If the source can't be read as described.
    """
    values = yaml.safe_load(paths.PARAMS.read_text(encoding="utf-8"))
    settings = parse_settings(values | {"source": _source(transactions, timezone)})
    with _elsewhere():
        return preview(settings, through=LAST_DAY)


@contextmanager
def _elsewhere() -> Iterator[None]:
    """Work in a folder of its own, so that nothing of the source stays on this disk."""
    with TemporaryDirectory(prefix="evergreen-") as folder, chdir(folder):
        yield


def _source(transactions: Mapping[str, Any], timezone: str | None) -> dict[str, Any]:
    """The values of ``source`` in params.yaml; what is None or empty is left out."""
    table = {k: _filled(v) for k, v in transactions.items() if v}
    return ({"timezone": timezone} if timezone else {}) | {"transactions": table}


def begin(
    folder: Path, transactions: dict[str, Any], *, as_of: date, timezone: str | None = None
) -> Iterator[str]:
    """Create a repository for your own data; see `_begin`.

    Parameters
    ----------
    folder
        The repository to create; it must not exist.
    transactions
        The values of ``source.transactions`` in params.yaml, with globs of files relative to the
        current folder; what is None or empty is left out.
    as_of
        The date of the first run.
    timezone
        The shop's own time zone, if the source writes another.
    """
    source = _source(transactions, timezone)
    table = source["transactions"]
    if "files" in table and not Path(table["files"]).is_absolute():
        table["files"] = os.path.relpath(table["files"], folder)
    dates = {"as_of": str(as_of), "full_retrain": {"as_of": str(as_of)}}
    yield from _begin(folder, {"source": source} | dates, _called(table))


def begin_demo(folder: Path, demo: Demo) -> Iterator[str]:
    """Create a repository for a demo, with the settings for it in ``configs``; see `_begin`."""
    config = paths.CONFIGS / f"{demo}.yaml"
    if not config.is_file():
        raise EvergreenError(f"{config} is missing: there are no settings for {demo}")
    yield from _begin(folder, yaml.safe_load(config.read_text(encoding="utf-8")), demo)


def _begin(folder: Path, overlay: Mapping[str, Any], data: str) -> Iterator[str]:
    """Copy the files in git that do not belong to other data, edit the settings, commit and check.

    Parameters
    ----------
    overlay
        The settings that differ from the ones here.
    data
        What the commit message calls the data.

    Yields
    ------
    str
        A line for each step, and the results of `evergreen check`.

    Raises
    ------
    EvergreenError
        If the folder exists, or the settings are not valid; nothing is left behind then.
    SettingsError
        If the source can't be read as described; the folder stays, so that it can be fixed.
    """
    if folder.exists():
        raise EvergreenError(f"{folder} already exists", "choose the name of a new folder")
    tracked = [name for name in git("ls-files").splitlines() if not name.startswith(OF_OTHER_DATA)]
    try:
        for name in tracked:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(name, folder / name)
        with chdir(folder):
            params_file.write({"mode": "auto", "hold": {}} | dict(overlay))
            git("init", "--quiet")
            git("add", "--all")
            git("commit", "--quiet", "--message", f"Start with {data}")
    except EvergreenError:
        shutil.rmtree(folder)
        raise
    yield f"{folder}: {len(tracked)} files, committed"
    with chdir(folder):
        results = list(check())
    yield from map(str, results)
    enter = f"cd {folder} && make setup && source .venv/bin/activate"
    if any(result.failed for result in results if result.topic in ("configuration", "source")):
        raise SettingsError(
            f"{folder} was created, but its source can't be read as described: see above",
            f"fix source.transactions in {folder / paths.PARAMS}, then {enter} && evergreen check",
        )
    yield f"continue with: {enter} && evergreen ingest"


def _filled(value: str | dict[str, str | None]) -> object:
    return {k: v for k, v in value.items() if v} if isinstance(value, dict) else value


def _called(source: dict[str, Any]) -> str:
    return str(source.get("files") or f"table {source.get('table')} of {source.get('url_env')}")
