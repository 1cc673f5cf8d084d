"""Replay policies side by side: prepare their folders and run them in worker processes."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import chdir, contextmanager
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from evergreen.core.events.label_selection import read_rows
from evergreen.errors import DataError
from evergreen.ingestion.ingest import ingest_new_rows
from evergreen.replay.hindsight import CURRENT, JUDGED, judge_policy, read_result
from evergreen.replay.policy_run import FAILED, RUNS, replay_policy
from evergreen.settings import paths
from evergreen.store import files, tables
from evergreen.store.cache import Cache
from evergreen.store.labels import labels_known, view_labels
from evergreen.store.raw_history import open_history

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    import pandas as pd

    from evergreen.replay.policies import Policy
    from evergreen.replay.results import PolicyResult
    from evergreen.replay.scenario import Scenario

PAUSE_SECONDS = 0.5


def replay(
    scenario: Scenario,
    policies: Sequence[Policy],
    *,
    jobs: int,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> tuple[dict[str, PolicyResult], pd.DataFrame]:
    """Replay policies side by side, each in a process of its own.

    Once all policies have started, free processes judge the runs, as they are made or later. Runs
    that an interrupted call has finished are not made again.

    Parameters
    ----------
    jobs
        The number of processes.
    progress
        Called with the number of runs made and judged, and the total.

    Returns
    -------
    (dict of PolicyResult, DataFrame)
        The results by policy; and the labels known at the end: target, client_id, observed_on,
        label.

    Raises
    ------
    DataError
        If the history does not reach through the last date.
    """
    folder = _prepare(scenario)
    total = 2 * len(policies) * len(scenario.dates)
    with worker_processes(jobs) as pool:
        with _without_interrupts():
            tasks = [
                pool.submit(task, scenario, policy, _policy_folder(folder, policy.name))
                for task in (replay_policy, judge_policy)
                for policy in policies
            ]
        while not all(task.done() for task in tasks):
            progress(_count_finished(folder), total)
            time.sleep(PAUSE_SECONDS)
        for task in tasks:
            task.result()
    progress(total, total)
    results = {policy.name: read_result(folder / policy.name) for policy in policies}
    return results, _labels(scenario, _policy_folder(folder, policies[0].name))


@contextmanager
def worker_processes(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Start worker processes that end at once if the block raises, or this process is killed."""
    context = get_context("spawn")
    ended, lifeline = context.Pipe(duplex=False)
    with ProcessPoolExecutor(jobs, context, initializer=_end_with, initargs=(ended,)) as pool:
        try:
            yield pool
        except BaseException:
            lifeline.close()
            pool.shutdown(cancel_futures=True)
            raise


def _end_with(ended: Connection) -> None:
    """End this worker when the other end of a pipe is closed, which only its parent holds."""

    def wait() -> None:
        ended.poll(None)
        os._exit(1)

    Thread(target=wait, daemon=True).start()


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Start processes that no Ctrl-C reaches: their parent ends them, and they print no errors."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _prepare(scenario: Scenario) -> Path:
    """Prepare the folder of this replay with its raw data; remove those of other replays."""
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
    for left in folder.rglob(".*.unfinished"):
        files.remove(left)
    paths.HISTORY_PARTS.mkdir(parents=True, exist_ok=True)
    _share(folder / paths.HISTORY_PARTS, paths.HISTORY_PARTS)
    raw = folder / paths.RAW
    if not raw.exists():
        raw.parent.mkdir(parents=True, exist_ok=True)
        _provide_raw(scenario, raw)
    with chdir(folder):  # makes the parts of the history now, so that no run's time includes them
        open_history(
            known_by=scenario.through,
            max_lag_days=settings.data.max_lag_days,
            threads=settings.compute.threads,
            max_chars=settings.features.text.max_chars,
        )
    return folder


def _provide_raw(scenario: Scenario, raw: Path) -> None:
    """Link to the raw data; if a demo's data ends too early, ingest the rest into a copy."""
    last_needed = scenario.through - timedelta(days=1 + scenario.settings.data.max_lag_days)
    partitions = tables.partitions(paths.TRANSACTIONS)
    if partitions and max(partitions) >= last_needed:
        raw.symlink_to(paths.RAW.absolute())
        return
    if scenario.settings.source.demo is None:
        raise DataError(
            f"{paths.TRANSACTIONS} ends on {max(partitions, default=None)}, but a replay to "
            f"{scenario.through} needs rows until {last_needed}: it uses ingested data only, and "
            "reads no files or databases",
            f"evergreen ingest --through {last_needed}, or choose an earlier --to",
        )
    unfinished = raw.with_name(".raw.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    work = unfinished / paths.RAW
    if partitions:
        shutil.copytree(paths.RAW, work, copy_function=os.link)
    unfinished.mkdir(parents=True, exist_ok=True)
    with chdir(unfinished):
        list(ingest_new_rows(scenario.settings, through=scenario.through, reach=last_needed))
    work.replace(raw)
    shutil.rmtree(unfinished)


def _policy_folder(folder: Path, name: str) -> Path:
    """Prepare the folder of a policy; raw data and cache are shared with the others."""
    policy = folder / name
    (policy / "data").mkdir(parents=True, exist_ok=True)
    (folder / "made").mkdir(exist_ok=True)
    (policy / FAILED).unlink(missing_ok=True)
    _share(policy / paths.RAW, folder / paths.RAW)
    _share(policy / paths.CACHE, folder / "made")
    _share(policy / paths.HISTORY_PARTS, paths.HISTORY_PARTS)
    return policy.absolute()


def _share(link: Path, shared: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(shared.absolute())


def _count_finished(folder: Path) -> int:
    return sum(1 for done in (RUNS, JUDGED) for _ in folder.glob(f"*/{done}/[!.]*"))


def _labels(scenario: Scenario, folder: Path) -> pd.DataFrame:
    with chdir(folder):
        con = tables.connect(scenario.settings.compute.threads)
        settings = scenario.settings.model_copy(update={"as_of": scenario.through})
        view_labels(con, labels_known(settings, Cache()))
        labels = read_rows(con, CURRENT)
    if labels.empty:
        raise DataError(
            f"no label is known by {scenario.through}, so there is nothing to compare with",
            "choose a later --to, or shorter horizons",
        )
    return labels
