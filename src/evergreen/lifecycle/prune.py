"""Free the disk: remove the data that only old runs need, here and on the DVC remote.

What is kept is what something names: the runs of the last days, every branch, tag and stash, the
working folder. So the command needs no record of its own, and a second call does what a killed one
has left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

from evergreen.errors import DataError, EvergreenError
from evergreen.history import rollback_records, run_records, run_summaries
from evergreen.lifecycle import review
from evergreen.lifecycle.forget_remote import check_fetched
from evergreen.lifecycle.prune_plan import UNNAMED, Plan, Use, kind_of, total
from evergreen.lifecycle.publish import published
from evergreen.settings import paths
from evergreen.store import files
from evergreen.vcs.commit_data import OF_DATA, CommitData, data_commits, read_commits
from evergreen.vcs.dvc_files import named_md5s
from evergreen.vcs.dvc_internals import OpenRepository, cache_folder, is_at_work, open_repository
from evergreen.vcs.git import git, kept_commits, remote_name
from evergreen.vcs.listings import Listings


def make_plan(
    keep_days: int,
    *,
    from_remote: bool = False,
    shared_cache: bool = False,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> Plan:
    """Find what is freed; nothing is changed.

    Parameters
    ----------
    keep_days
        Keep the runs of so many days, counted back from the last recorded run.
    from_remote
        Whether to free it on the DVC remote, too.
    shared_cache
        Whether to free it in a cache that other repositories may use.
    tell
        Called with the number of files that were read, and their total.

    Raises
    ------
    DataError
        If no run is recorded.
    EvergreenError
        If something else may need the data: a cache that is shared, a dvc process at work, commits
        that are not fetched, a remote that can't be reached or lacks the last run.
    """
    review.check_branch()
    last = run_records.last_committed()
    if last is None:
        raise DataError("no run is recorded, so nothing is old", "evergreen finish")
    shared = _check_cache(shared_cache=shared_cache)
    _check_idle()
    for upstream in _upstreams():
        check_fetched(upstream, "the data")
    until = last.as_of - timedelta(days=keep_days)
    versions = _older_versions(until)
    names = kept_commits()
    commits = read_commits({*names, *data_commits(), *(v.commit for v in versions)}, tell)
    new = {c: data for c, data in commits.items() if data.as_of and data.as_of > until}
    with open_repository() as repo:
        remote = _remote(repo, required=from_remote)
        listings = Listings(repo, readable=remote is not None)
        if remote:
            _check_remote(repo, remote, _data_of(commits[git("rev-parse", "HEAD").strip()]))
        workspace = repo.tracked()
        wanted = [workspace, _named_here(), *(data.md5s for data in new.values())]
        wanted += [commits[commit].md5s for commit in names]
        wanted += [{str(v.path): commits[v.commit].md5s.get(str(v.path), "")} for v in versions]
        kept = listings.expand({h for md5s in wanted for h in md5s.values()}, fetch=True)
        _check_listed(workspace, listings)
        old = [commits[c] for c in commits if c not in new and c not in names]
        uses = _uses(old, listings, kept, fetch=from_remote)
        sizes = {h: repo.cache_path(h).stat().st_size for h in repo.cached_objects()}
        local = {h: n for h, n in sizes.items() if h not in kept and (h in uses or not shared)}
        there = repo.remote_sizes({*uses, *local}) if remote else {}
        entries = [
            path
            for path, outs in repo.run_cache()
            if outs & local.keys() or not (shared or outs <= kept)
        ]
    days = run_records.dates()
    return Plan(
        kept_runs=[day for day in days if day > until],
        all_runs=days,
        pending=[run.as_of for run in review.pending_runs()],
        refs={name: commits[c].as_of for c, name in names.items() if _is_older(commits[c], until)},
        versions=sorted({f"{version.target} {version.version}" for version in versions}),
        incomplete=sorted(
            {data.as_of for data in new.values() if data.as_of and listings.lack(_data_of(data))}
        ),
        kept={h: n for h, n in sizes.items() if h not in local},
        local=local,
        remote={h: n for h, n in there.items() if h in uses} if from_remote else {},
        only_here={h: n for h, n in local.items() if h not in there},
        uses=uses | {h: Use(UNNAMED) for h in local if h not in uses},
        run_cache=entries,
        releases=list(_old_releases(until)),
        remote_name=remote,
    )


def carry_out(plan: Plan) -> Iterator[str]:
    """Remove what a plan frees.

    Yields
    ------
    str
        What was freed, a line for each place.
    """
    with open_repository() as repo:
        if plan.remote:
            repo.remove_from_remote(plan.remote)
            yield f"freed on DVC remote {plan.remote_name}: {total(plan.remote)}"
        for path in plan.run_cache:
            path.unlink(missing_ok=True)
        # Folders' listings last: by them, the next call knows the files that a killed one has left.
        for md5_hex in sorted(plan.local, key=lambda name: (name.endswith(".dir"), name)):
            repo.cache_path(md5_hex).unlink(missing_ok=True)
    for path in plan.releases:
        files.remove(path)
    yield f"freed in DVC's cache: {total(plan.local)}"


def _check_cache(*, shared_cache: bool) -> bool:
    """Whether others may use the cache; refused unless that was said."""
    cache = cache_folder()
    if cache.resolve().is_relative_to(Path(".dvc").resolve()):
        return False
    if not shared_cache:
        raise EvergreenError(
            f"DVC's cache is {cache}, which other repositories and clones may use; what only they "
            "need would be removed, too",
            "if they need no data of older runs: the same command with --shared-cache",
        )
    return True


def _check_idle() -> None:
    if is_at_work():
        raise EvergreenError(
            "a dvc command is at work here, whose data are not committed yet",
            "wait until it has ended, then run the same command again",
        )


def _upstreams() -> list[str]:
    """The git remotes whose branches may need data; all, where this branch has no upstream."""
    upstream = remote_name()
    return [upstream] if upstream else git("remote").split()


def _remote(repo: OpenRepository, *, required: bool) -> str | None:
    """The name of the DVC remote; None without one."""
    name, settings = repo.default_remote()
    if settings is None:
        if required:
            raise EvergreenError(
                "no default DVC remote is configured, so there is nothing to free on one",
                "evergreen prune without --remote",
            )
        return None
    if required and not repo.remote_removes():
        raise EvergreenError(
            f"nothing can be removed from DVC remote {name} over HTTP: {settings['url']}",
            f"dvc remote modify --local {name} url ..., with an address that can be written (S3, "
            "SSH, a folder); or evergreen prune without --remote",
        )
    return name


def _check_remote(repo: OpenRepository, name: str, needed: dict[str, str]) -> None:
    """Refuse a remote without the data of the last run, by path and hash.

    A folder that is not mounted, or a bucket that is another one, looks empty.
    """
    try:
        there = repo.kept_on_remote(needed.values())
    except Exception as error:  # each kind of remote has its own errors
        raise EvergreenError(
            f"DVC remote {name} can't be reached: {error}; nothing was removed",
            f"fix that (dvc remote list; dvc remote modify {name} ...), then the same command "
            "again",
        ) from error
    if lacking := sorted(path for path, md5_hex in needed.items() if md5_hex not in there):
        raise EvergreenError(
            f"DVC remote {name} lacks data of the last run, such as {lacking[0]}, or can't be "
            "reached; nothing was removed",
            "evergreen finish --push; or check its address and your access: dvc remote list",
        )


def _named_here() -> dict[str, str]:
    """What the files of the working folder name, reports that git keeps included."""
    names = git("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *OF_DATA)
    named: dict[str, str] = {}
    for name in filter(None, names.split("\0")):
        if Path(name).is_file():
            named |= named_md5s(name, Path(name).read_text(encoding="utf-8"))
    return named


def _data_of(data: CommitData) -> dict[str, str]:
    """What a commit names and git does not keep."""
    return {p: h for p, h in data.md5s.items() if Path(p).parts[0] in ("data", "models")}


def _is_older(data: CommitData, until: date) -> bool:
    return bool(data.md5s) and (data.as_of is None or data.as_of <= until)


def _check_listed(workspace: dict[str, str], listings: Listings) -> None:
    """Refuse while the files of the working folder can't be told."""
    if lacking := listings.lack(workspace):
        raise DataError(
            f"the list of the files of {lacking[0]} is missing or damaged in DVC's cache, so their "
            "objects can't be told from others; nothing was removed",
            "evergreen pull; or dvc commit --force, if the data here are as recorded",
        )


class _Version(NamedTuple):
    """A model: its target and version, and the commit and folder in which a run made it."""

    target: str
    version: str
    commit: str
    path: Path


def _records_since(until: date) -> list[run_records.RunRecord]:
    """The records of kept runs, those that wait for review included."""
    recorded = [run_records.read(day) for day in run_records.dates() if day > until]
    return [*recorded, *(run.record for run in review.pending_runs())]


def _rollbacks_since(until: date) -> list[rollback_records.RollbackRecord]:
    return [record for record in rollback_records.read_all() if record.after > until]


def _older_versions(until: date) -> list[_Version]:
    """The models of older runs that kept ones were compared with, started from or served."""
    rollbacks = [record for record in rollback_records.read_all() if record.after > until]
    named = {
        (name, version) for record in rollbacks for name, pair in record.targets.items()
        for version in pair
    }  # fmt: skip
    for record in _records_since(until):
        for name, target in record.targets.items():
            parents = (candidate.parent for candidate in target.candidates.values())
            named |= {(name, version) for version in (target.version, target.champion, *parents)}
    return [
        _Version(
            version.target,
            version.version,
            run_records.commit_of(version.as_of),
            paths.CANDIDATES[version.kind],
        )
        for version in run_summaries.versions(run_records.read_all())
        if version.as_of <= until and (version.target, version.version) in named
    ]


def _old_releases(until: date) -> Iterator[Path]:
    """The folders of releases that no kept run names."""
    names = {published()}
    for run in _records_since(until):
        names |= {run.release, run.previous_release}
    for rollback in _rollbacks_since(until):
        names |= {rollback.release, rollback.previous_release}
    for path in sorted(paths.RELEASES.glob("[!.]*")):
        if not path.is_symlink() and path.name not in names:
            yield path


def _uses(
    old: Iterable[CommitData], listings: Listings, kept: set[str], *, fetch: bool
) -> dict[str, Use]:
    """What the objects that only old commits name are, those in folders included."""
    uses: dict[str, Use] = {}
    by_date = sorted(old, key=lambda data: data.as_of or date.min)
    listings.load({h for data in by_date for h in data.md5s.values()}, fetch=fetch)
    for data in by_date:
        for path, folder in data.md5s.items():
            for md5_hex in {folder, *listings.files(folder)} - kept:
                use = uses.setdefault(md5_hex, Use(kind_of(path), data.as_of))
                use.last = data.as_of
    return uses
