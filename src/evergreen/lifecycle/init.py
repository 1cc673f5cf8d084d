"""Begin a repository for one's own data, with the code and the settings of this one."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from evergreen.errors import EvergreenError, SettingsError
from evergreen.lifecycle import params_file
from evergreen.lifecycle.check import check
from evergreen.settings import paths
from evergreen.settings.loading import load_settings
from evergreen.vcs.git import git
from evergreen.vcs.tracked_paths import PINS, ROLLBACK_PIN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

OF_OTHER_DATA = (str(paths.DVC_LOCK), "history/", "reports/", *PINS, ROLLBACK_PIN)
SOURCE = r"(?m)^source:[^\n]*\n(?:[ \t]+[^\n]*\n)+"


def begin(folder: Path, transactions: dict[str, Any], *, as_of: date) -> Iterator[str]:
    """Copy what is versioned here and is not of other data, name the source, commit, and check.

    Parameters
    ----------
    folder
        The repository to make; it must not exist.
    transactions
        What stands under ``source.transactions`` in params.yaml, globs of files as seen from here;
        what is None or empty is left out.
    as_of
        The date of the first run.

    Yields
    ------
    str
        What was done, and what `evergreen check` finds.

    Raises
    ------
    EvergreenError
        If the folder exists, or the mapping is not valid; nothing is left behind then.
    SettingsError
        If the source does not read as it is described; the folder stays, to be mended.
    """
    if folder.exists():
        raise EvergreenError(f"{folder} exists already, a new folder was expected", "another name")
    source: dict[str, Any] = {k: _filled(v) for k, v in transactions.items() if v}
    files = source.get("files")
    if files and not Path(files).is_absolute():
        source["files"] = os.path.relpath(files, folder)
    tracked = [name for name in git("ls-files").splitlines() if not name.startswith(OF_OTHER_DATA)]
    try:
        for name in tracked:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(name, folder / name)
        with chdir(folder):
            _write_source(source)
            params_file.write_run(as_of=as_of, full_as_of=as_of, mode="auto")
            git("init", "--quiet")
            git("add", "--all")
            git("commit", "--quiet", "--message", f"Begin with {_called(source)}")
    except EvergreenError:
        shutil.rmtree(folder)
        raise
    yield f"{folder}: {len(tracked)} files, committed"
    with chdir(folder):
        found = list(check())
    yield from map(str, found)
    enter = f"cd {folder} && make setup && source .venv/bin/activate"
    if any(one.next_step for one in found if one.topic in ("configuration", "source")):
        raise SettingsError(
            f"{folder} is made, but its source is not as it is described: see above",
            f"mend source.transactions in {folder / paths.PARAMS}, then {enter} && evergreen check",
        )
    yield f"go on with: {enter} && evergreen ingest"


def _filled(value: str | dict[str, str | None]) -> object:
    return {k: v for k, v in value.items() if v} if isinstance(value, dict) else value


def _called(source: dict[str, Any]) -> str:
    return str(source.get("files") or f"table {source.get('table')} of {source.get('url_env')}")


def _write_source(transactions: dict[str, object]) -> None:
    text = paths.PARAMS.read_text(encoding="utf-8")
    section = yaml.safe_dump(
        {"source": {"transactions": transactions}}, sort_keys=False, allow_unicode=True
    )
    text, count = re.subn(SOURCE, lambda _found: section, text)
    if count != 1:
        raise SettingsError(
            f"{paths.PARAMS} was expected to have one section `source`, found {count}"
        )
    paths.PARAMS.write_text(text, encoding="utf-8")
    load_settings()
