"""Where a replay works: its raw data, a folder for each policy, processes that share the work."""

from __future__ import annotations

import os
import shutil
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import chdir
from datetime import timedelta
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import TYPE_CHECKING

import pandas as pd

from evergreen.core.events.label_selection import as_known
from evergreen.errors import DataError
from evergreen.ingestion.ingest import ingest_new_rows
from evergreen.replay.hindsight import JUDGED, judge_policy, judged
from evergreen.replay.policy_run import (
    RUNS,
    STOPPED,
    replay_policy,
)
from evergreen.replay.results import Replayed
from evergreen.settings import paths
from evergreen.store import tables
from evergreen.store.cache import Cache
from evergreen.store.labels import open_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from evergreen.replay.policies import Policy
    from evergreen.replay.scenario import Scenario

PAUSE_SECONDS = 0.5


def replay(
    scenario: Scenario,
    policies: Sequence[Policy],
    *,
    jobs: int,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> tuple[dict[str, Replayed], pd.DataFrame]:
    """Replay some policies side by side, each in a process of its own.

    When all policies have begun, further processes judge the runs, as they are made or later. Runs
    that an interrupted call has finished are not made again.

    Parameters
    ----------
    jobs
        So many processes at a time.
    progress
        Called with the number of runs made, and judged, and of what there is to do in all.

    Returns
    -------
    (dict of Replayed, DataFrame)
        By the name of the policy; and the labels known at the end: target, client_id,
        observed_on, label.

    Raises
    ------
    DataError
        If the history does not reach through the last date.
    """
    folder = _prepare(scenario)
    total = 2 * len(policies) * len(scenario.dates)
    with worker_processes(jobs) as pool:
        works = [
            pool.submit(task, scenario, policy, _own(folder, policy.name))
            for task in (replay_policy, judge_policy)
            for policy in policies
        ]
        while not all(work.done() for work in works):
            progress(_finished(folder), total)
            time.sleep(PAUSE_SECONDS)
        for work in works:
            work.result()
    progress(total, total)
    replayed = {policy.name: Replayed(*judged(folder / policy.name)) for policy in policies}
    return replayed, _labels(scenario, folder)


def worker_processes(jobs: int) -> ProcessPoolExecutor:
    """Processes to share work, which end when this one does, even if it is killed."""
    return ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_end_with_parent)


def _end_with_parent() -> None:
    Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _prepare(scenario: Scenario) -> Path:
    """The working folder of this replay, with all that is known by its end; others are removed."""
    settings, cache = scenario.settings, Cache()
    made_from: dict[str, object] = {
        "settings": settings.model_dump(mode="json", exclude={"as_of", "mode", "hold"}),
        "dates": [str(day) for day in scenario.dates],
        "through": str(scenario.through),
        "raw": cache.raw_known_by(scenario.through),
    }
    folder = paths.REPLAYS / cache.entry("replay", made_from).name
    for other in paths.REPLAYS.glob("*"):
        if other != folder:
            shutil.rmtree(other)
    raw = folder / paths.RAW
    if not raw.exists():
        raw.parent.mkdir(parents=True, exist_ok=True)
        _lay_raw(scenario, raw)
    return folder


def _lay_raw(scenario: Scenario, raw: Path) -> None:
    """Link to the raw data that there is; where it ends too early, take in the rest beside it."""
    last_needed = scenario.through - timedelta(days=1 + scenario.settings.data.max_lag_days)
    known = tables.partitions(paths.TRANSACTIONS)
    if known and max(known) >= last_needed:
        raw.symlink_to(paths.RAW.absolute())
        return
    if scenario.settings.source.demo is None:
        raise DataError(
            f"{paths.TRANSACTIONS} ends on {max(known, default=None)}, and a replay to "
            f"{scenario.through} needs rows until {last_needed}: it takes what was taken in, and "
            "asks no files or databases",
            f"evergreen ingest --through {last_needed}, or an earlier --to",
        )
    unfinished = raw.with_name(".raw.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    work = unfinished / paths.RAW
    if known:
        shutil.copytree(paths.RAW, work, copy_function=os.link)
    unfinished.mkdir(parents=True, exist_ok=True)
    with chdir(unfinished):
        list(ingest_new_rows(scenario.settings, through=scenario.through, reach=last_needed))
    work.replace(raw)
    shutil.rmtree(unfinished)


def _own(folder: Path, name: str) -> Path:
    """The folder of a policy, which shares raw data and cache with the others."""
    own = folder / name
    (own / "data").mkdir(parents=True, exist_ok=True)
    (folder / "made").mkdir(exist_ok=True)
    (own / paths.CACHE.parent).mkdir(exist_ok=True)
    (own / STOPPED).unlink(missing_ok=True)
    for link, shared in (
        (own / paths.RAW, folder / paths.RAW),
        (own / paths.CACHE, folder / "made"),
    ):
        if not link.is_symlink():
            link.symlink_to(shared.absolute())
    return own.absolute()


def _finished(folder: Path) -> int:
    return sum(1 for done in (RUNS, JUDGED) for _ in folder.glob(f"*/{done}/[!.]*"))


def _labels(scenario: Scenario, folder: Path) -> pd.DataFrame:
    with chdir(folder):
        con, _ = open_labels(scenario.settings.model_copy(update={"as_of": scenario.through}))
        labels = con.sql("select * from labels order by target, observed_on, client_id").df()
    if labels.empty:
        raise DataError(
            f"no label is known by {scenario.through}, so there is nothing to judge by",
            "a later --to, or shorter horizons",
        )
    known = as_known(labels, by=scenario.through)[["target", "client_id", "observed_on", "label"]]
    known["observed_on"] = pd.to_datetime(known["observed_on"])
    return known
