"""Check a repository: settings, source, git, DVC, disk, and the next step of the run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from evergreen.core.wording import plural
from evergreen.errors import EvergreenError, ModelError
from evergreen.history import run_records
from evergreen.history.experiments import REPLACE, find_experiment
from evergreen.ingestion.corrections import IF_LINES
from evergreen.ingestion.demos import PACKAGED_DEMOS
from evergreen.ingestion.hints import ids_by_case
from evergreen.ingestion.ingest import preview
from evergreen.ingestion.orders import IF_TOTALS, stored_repeated_totals
from evergreen.ingestion.outliers import WARNING, stored_outliers
from evergreen.lifecycle import review
from evergreen.lifecycle.crontab import NO_REMOTE
from evergreen.lifecycle.ensure_served import recorded_release
from evergreen.lifecycle.lock import HeldError, repair_what_was_killed
from evergreen.lifecycle.publish import published
from evergreen.lifecycle.verify import verify
from evergreen.settings import paths, removed
from evergreen.settings.loading import load_settings
from evergreen.settings.pipeline import Settings
from evergreen.store import tables
from evergreen.store.label_outlook import label_outlook
from evergreen.vcs.commands import CommandError
from evergreen.vcs.dvc import outdated
from evergreen.vcs.dvc_fetch import is_laid_out
from evergreen.vcs.dvc_internals import cache_folder, pin_file, remote_names
from evergreen.vcs.git import current_branch, git, upstream_branch
from evergreen.vcs.remote import ADD_REMOTE
from evergreen.vcs.states import check_cache_is_writable, obstacles

SPARE_BYTES = 2 << 30
"""Free space below which a run may fail: features, models and DVC's cache of a small retailer."""


@dataclass(frozen=True)
class CheckResult:
    """The result of one check.

    Attributes
    ----------
    next_step
        What to do about it; None if it is fine.
    advice
        Whether a run is possible without that step.
    """

    topic: str
    message: str
    next_step: str | None = None
    advice: bool = False

    @property
    def failed(self) -> bool:
        """Whether the next step has to be taken before a run."""
        return self.next_step is not None and not self.advice

    def __str__(self) -> str:
        """One line, and another with the next step if there is one."""
        mark = "ok" if self.next_step is None else " !" if self.advice else "!!"
        more = f"\n     Next: {self.next_step}" if self.next_step else ""
        return f"{mark}   {self.topic}: {self.message}{more}"


def check() -> Iterator[CheckResult]:
    """Check git, the configuration, DVC, the disk, the source and the raw tables; change nothing.

    The complete source is read as by `evergreen ingest`, and bad rows are listed in the quarantine.
    Only what a killed command left is made good. While another one is at work, what it changes is
    not checked.

    Yields
    ------
    CheckResult
        In the order in which problems should be fixed.
    """
    stuck = list(obstacles())
    yield from (CheckResult("git", obstacle.message, obstacle.next_step) for obstacle in stuck)
    busy = False
    if not stuck:
        try:
            yield from (CheckResult("repair", line) for line in repair_what_was_killed())
        except EvergreenError as error:
            busy = True
            next_step = None if isinstance(error, HeldError) else error.next_step
            yield CheckResult("run", error.message, next_step)
    try:
        settings = load_settings()
    except EvergreenError as error:
        if not stuck:
            yield CheckResult("configuration", error.message, error.next_step)
        return
    yield CheckResult("configuration", f"{paths.PARAMS} is valid, as_of {settings.as_of}")
    yield from (CheckResult("configuration", f"hint: {hint}") for hint in removed.hints())
    checks = {
        "git": [] if stuck else _git(),
        "DVC": _dvc(),
        "disk": _disk(),
        "source": [] if busy else _source(settings),
        "raw tables": [] if stuck or busy else _raw(settings),
        "run": [] if stuck or busy else _run(settings),
        "release": [] if stuck else _served(),
    }
    for topic, results in checks.items():
        try:
            yield from results
        except EvergreenError as error:
            next_step = error.next_step or "fix it, then evergreen check"
            yield CheckResult(topic, error.message, next_step)


def _git() -> Iterator[CheckResult]:
    branch = current_branch()
    lines = git("status", "--porcelain").splitlines()
    new = sum(line.startswith("??") for line in lines)
    counts = {"changed file": len(lines) - new, "new file": new}
    summary = " and ".join(plural(n, name) for name, n in counts.items() if n)
    yield CheckResult("git", f"branch {branch}, {summary or 'nothing changed'}")
    for name in ("user.name", "user.email"):
        try:
            git("config", name)
        except CommandError:
            yield CheckResult("git", f"{name} is not set", f'git config {name} "..."')
    remotes = git("remote").split()
    yield CheckResult("git remote", ", ".join(remotes) or "none, so --push is not possible")
    review.check_branch()


def _dvc() -> Iterator[CheckResult]:
    try:
        check_cache_is_writable(cache_folder())
    except EvergreenError as error:
        yield CheckResult("DVC cache", error.message, error.next_step)
    remotes = remote_names()
    if remotes:
        yield CheckResult("DVC remote", ", ".join(remotes))
    else:
        # Scheduled runs are pushed if the branch has an upstream, and their data has to go first.
        yield CheckResult("DVC remote", NO_REMOTE, ADD_REMOTE, advice=upstream_branch() is None)


def _disk() -> Iterator[CheckResult]:
    free = shutil.disk_usage(Path.cwd()).free
    next_step = (
        None
        if free >= SPARE_BYTES
        else "free some space, or evergreen prune --keep-days 90 --dry-run"
    )
    yield CheckResult("disk", f"{free / 2**30:,.0f} GiB free", next_step)


def _source(settings: Settings) -> Iterator[CheckResult]:
    if settings.source.demo:
        if settings.source.demo in PACKAGED_DEMOS:
            con = tables.connect(settings.compute.threads)
            PACKAGED_DEMOS[settings.source.demo](con, settings.data.minor_units)
        yield CheckResult("source", f"the demo {settings.source.demo} is installed and complete")
        return
    through = settings.as_of - timedelta(days=1)
    previewed = preview(settings, through=through)
    for line in previewed.lines:
        if line.startswith(WARNING):
            yield _outlier("source", line.removeprefix(WARNING))
        else:
            yield CheckResult("source", line)
    for hint in previewed.hints:
        yield CheckResult("source", hint.message, hint.next_step, advice=True)
    for name, source in settings.source.transaction_tables.items():
        if not source.has_keys:
            without_key = (
                f"{name}: rows have no key, so an order that changes after it was ingested is "
                "not corrected, but added; map columns.row_id if the source has a key"
            )
            yield CheckResult("corrections", without_key)


def _outlier(topic: str, line: str) -> CheckResult:
    for remedy in (IF_TOTALS, IF_LINES):
        message, said, _ = line.partition(f"; {remedy}")
        if said:
            return CheckResult(topic, message, f"{remedy} in params.yaml", advice=True)
    return CheckResult(topic, line, "if it is wrong, correct it in the source", advice=True)


def _raw(settings: Settings) -> Iterator[CheckResult]:
    ingested = tables.partitions(paths.TRANSACTIONS)
    recorded = ingested and remote_names() and run_records.is_recorded(settings.as_of)
    if recorded and not is_laid_out():
        found = f"the data here are not those of {settings.as_of}, as after `git pull`"
        yield CheckResult("data", found, "evergreen pull")
        return
    if not ingested and pin_file(paths.RAW).exists():
        yield CheckResult("raw tables", "this clone has no data yet", "evergreen pull")
        return
    if not ingested:
        yield CheckResult("raw tables", "no transactions yet, and so no labels", "evergreen ingest")
        return
    con = tables.connect(settings.compute.threads)
    lag = settings.data.max_lag_days
    tables.view_transactions(con, known_by=settings.as_of, max_lag_days=lag)
    [(rows, clients)] = con.sql(
        "select count(*), count(distinct client_id) from transactions"
    ).fetchall()
    days = f"{min(ingested)} to {max(ingested)}"
    yield CheckResult("raw tables", f"{rows:,} transactions of {clients:,} clients, {days}")
    warnings = stored_outliers(con, settings.data.minor_units)
    if any(t.has_amounts_per_line for t in settings.source.transaction_tables.values()):
        warnings += stored_repeated_totals(con)
    for line in warnings:
        yield _outlier("raw tables", line)
    for hint in ids_by_case(con, "transactions"):
        yield CheckResult("raw tables", hint.message, hint.next_step, advice=True)
    yield from _labels(settings)


def _labels(settings: Settings) -> Iterator[CheckResult]:
    """The labels on which the gate would judge each target, before anything is trained."""
    for target in label_outlook(settings):
        yield CheckResult("labels", str(target), target.way_out, advice=True)


def _run(settings: Settings) -> Iterator[CheckResult]:
    """The next step between ingestion and a published release."""
    if experiment := find_experiment(settings.as_of):
        also = "evergreen finish, to record it" if experiment.is_remade else REPLACE
        yield CheckResult("run", str(experiment), f"{experiment.way_back}; or {also}")
    elif run_records.is_recorded(settings.as_of):
        following = settings.as_of + timedelta(days=1)
        next_run = f"the next one is `evergreen cycle --as-of {following}`"
        yield CheckResult("run", f"{settings.as_of} is recorded; {next_run}")
    elif not paths.CHAMPION.exists():
        yield CheckResult("run", "the inputs of the first run are not pinned", "evergreen pin")
    elif not paths.DECISION_REPORT.exists() or outdated():
        yield CheckResult("run", f"{settings.as_of} has not been run", "dvc repro")
    else:
        yield CheckResult(
            "run", f"{settings.as_of} is complete, but not recorded", "evergreen finish"
        )


def _served() -> Iterator[CheckResult]:
    """Whether the recorded release is served and sound, and which runs are waiting for review."""
    recorded, served = recorded_release(), published()
    if recorded not in (None, served):
        found = f"{served} is served" if served else "nothing is served"
        yield CheckResult("release", f"{recorded} is recorded, but {found}", "evergreen pull")
    elif served is not None:
        try:
            verify(paths.CURRENT)
        except ModelError as error:
            again = "evergreen pull, which publishes it again"
            yield CheckResult("release", f"the served release is damaged: {error.message}", again)
        else:
            yield CheckResult("release", f"{served} is served, and predicts as at training")
    yield from (CheckResult("review", str(run)) for run in review.pending_runs())
