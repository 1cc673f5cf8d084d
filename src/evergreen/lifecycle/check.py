"""Examine a repository: what is fine, what is not, and what to do next."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from evergreen.core.wording import plural
from evergreen.errors import EvergreenError
from evergreen.history import run_records
from evergreen.ingestion import user_tables
from evergreen.ingestion.demos import PACKAGED_DEMOS
from evergreen.lifecycle import review
from evergreen.lifecycle.publish import published
from evergreen.settings import paths, removed
from evergreen.settings.loading import load_settings
from evergreen.store import tables
from evergreen.vcs.commands import CommandError
from evergreen.vcs.dvc import outdated
from evergreen.vcs.dvc_internals import pin_file, remote_names
from evergreen.vcs.git import current_branch, git, upstream_branch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from evergreen.settings.pipeline import Settings

SPARE_BYTES = 2 << 30
"""Free space below which a run may fail: features, models and DVC's cache of a small retailer."""


@dataclass(frozen=True)
class Finding:
    """What was found of one thing.

    Attributes
    ----------
    next_step
        What to do about it; None where it is fine.
    """

    topic: str
    said: str
    next_step: str | None = None

    def __str__(self) -> str:
        """One line, and one more with what to do."""
        mark = "ok" if self.next_step is None else "!!"
        more = f"\n     Next: {self.next_step}" if self.next_step else ""
        return f"{mark}   {self.topic}: {self.said}{more}"


def check() -> Iterator[Finding]:
    """Examine configuration, git, DVC, disk, source and raw tables; change nothing.

    The whole source is read as `evergreen ingest` would, which lists bad rows in the quarantine.

    Yields
    ------
    Finding
        In the order in which things are to be put right.
    """
    try:
        settings = load_settings()
    except EvergreenError as error:
        yield Finding("configuration", error.message, error.next_step)
        return
    yield Finding("configuration", f"{paths.PARAMS} is valid, as_of {settings.as_of}")
    yield from (Finding("configuration", f"hint: {hint}") for hint in removed.hints())
    for topic, examine in (("git", _git), ("DVC", _dvc), ("disk", _disk)):
        yield from _examined(topic, examine)
    yield from _examined("source", lambda: _source(settings))
    yield from _examined("raw tables", lambda: _raw(settings))
    yield from _examined("run", lambda: _run(settings))


def _examined(topic: str, examine: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from examine()
    except EvergreenError as error:
        yield Finding(topic, error.message, error.next_step or "mend it, then evergreen check")


def _git() -> Iterator[Finding]:
    branch = current_branch()
    found = git("status", "--porcelain").splitlines()
    new = sum(line.startswith("??") for line in found)
    counts = {"changed file": len(found) - new, "new file": new}
    told = " and ".join(plural(n, name) for name, n in counts.items() if n)
    yield Finding("git", f"branch {branch}, {told or 'nothing changed'}")
    for name in ("user.name", "user.email"):
        try:
            git("config", name)
        except CommandError:
            yield Finding("git", f"{name} is not set", f'git config {name} "..."')
    remote = git("remote").split()
    yield Finding("git remote", ", ".join(remote) or "none: --push has nowhere to go")


def _dvc() -> Iterator[Finding]:
    remotes = remote_names()
    if remotes:
        yield Finding("DVC remote", ", ".join(remotes))
    else:
        alone = "none: data and models are on this disk alone"
        # Scheduled runs are pushed where the branch has an upstream, and the data has to go first.
        name_one = "dvc remote add --default storage FOLDER (or s3://BUCKET/PATH); git commit it"
        yield Finding("DVC remote", alone, name_one if upstream_branch() else None)


def _disk() -> Iterator[Finding]:
    free = shutil.disk_usage(Path.cwd()).free
    enough = None if free >= SPARE_BYTES else "make room, or `dvc gc --all-commits`"
    yield Finding("disk", f"{free / 2**30:,.0f} GiB free", enough)


def _source(settings: Settings) -> Iterator[Finding]:
    if settings.source.demo:
        if settings.source.demo in PACKAGED_DEMOS:
            PACKAGED_DEMOS[settings.source.demo](tables.connect(settings.compute.threads))
        yield Finding("source", f"the demo {settings.source.demo} is installed and whole")
        return
    through = settings.as_of - timedelta(days=1)
    for line in user_tables.preview(settings, through=through):
        yield Finding("source", line)


def _raw(settings: Settings) -> Iterator[Finding]:
    found = tables.partitions(paths.TRANSACTIONS)
    if not found and pin_file(paths.RAW).exists():
        yield Finding("raw tables", "the data of this clone is not here yet", "evergreen pull")
        return
    if not found:
        yield Finding("raw tables", "no transactions yet", "evergreen ingest")
        return
    con = tables.connect(settings.compute.threads)
    lag = settings.data.max_lag_days
    tables.view_transactions(con, known_by=settings.as_of, max_lag_days=lag)
    [(rows, clients)] = con.sql(
        "select count(*), count(distinct client_id) from transactions"
    ).fetchall()
    days = f"{min(found)} to {max(found)}"
    yield Finding("raw tables", f"{rows:,} transactions of {clients:,} clients, {days}")


def _run(settings: Settings) -> Iterator[Finding]:
    """Where the repository stands between ingestion and a published release."""
    if run_records.is_recorded(settings.as_of):
        following = settings.as_of + timedelta(days=1)
        said = f"{settings.as_of} is recorded; `evergreen cycle --as-of {following}` goes on"
        yield Finding("run", said)
        yield from _served()
    elif not paths.CHAMPION.exists():
        yield Finding("run", "the inputs of the first run are not pinned", "evergreen pin")
    elif not paths.DECISION_REPORT.exists() or outdated():
        yield Finding("run", f"{settings.as_of} has not been run", "dvc repro")
    else:
        yield Finding("run", f"{settings.as_of} is run, not recorded", "evergreen finish")


def _served() -> Iterator[Finding]:
    """Whether what is recorded is served, and what waits for a person's word."""
    last = run_records.last()
    if last is not None and last.release is not None and published() is None:
        yield Finding(
            "release", f"{last.release} is recorded, and nothing is served", "evergreen pull"
        )
    yield from (Finding("review", str(run)) for run in review.waiting())
