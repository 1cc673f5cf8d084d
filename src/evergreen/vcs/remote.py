"""The DVC remote: it receives the data of every run committed here, each object once."""

from __future__ import annotations

import hashlib
from pathlib import Path

from evergreen.core.wording import plural
from evergreen.errors import DataError, EvergreenError
from evergreen.settings import paths
from evergreen.vcs.dvc_internals import (
    OpenRepository,
    locked_md5s,
    md5,
    open_repository,
)
from evergreen.vcs.git import commit_at, git, show, upstream_branch
from evergreen.vcs.tracked_paths import NAMES_DATA

NOT_PUSHED = "the runs are recorded and served here, but not pushed"
AGAIN = "evergreen finish --push"
ADD_REMOTE = (
    "dvc remote add --default storage FOLDER (or s3://BUCKET/PATH) && git commit "
    '--message "Name the DVC remote" .dvc/config'
)


def push_data(tip: str = "HEAD") -> str:
    """Push the data of all commits since the last push from this clone to the default remote.

    `dvc push` covers the working folder only, and `dvc push --all-commits` reads every commit of
    the history each time. So a git reference of this clone marks how far its data has been pushed.

    Parameters
    ----------
    tip
        The last of these commits.

    Returns
    -------
    str
        A message with the number of objects and commits.

    Raises
    ------
    EvergreenError
        If no remote is configured, or it refuses; with the remote's own message.
    DataError
        If an object is damaged, or neither in the cache nor on the remote.
    """
    with open_repository() as repo:
        name, mark = _default_remote(repo)
        head, before = git("rev-parse", tip).strip(), commit_at(mark)
        commits, incomplete = _unpushed(repo, head, before)
        pushed = _surely_pushed(repo, before) if before and commits else set()
        objects = {h: n for h, n in repo.objects_of(commits).items() if h not in pushed}
        try:
            _check_sound(repo, objects)
            count, failed = repo.push(objects, few=before is not None)
        except EvergreenError:
            raise
        except Exception as error:
            # each kind of remote has its own errors
            raise _refused(name, str(error)) from error
    if failed:
        raise _refused(name, f"{failed} of {len(objects)} objects could not be written")
    git("update-ref", mark, head)
    left_out = ", ".join(commit[:7] for commit in incomplete)
    return (
        f"{plural(count, 'object')} of {plural(len(commits), 'commit')} pushed to DVC remote {name}"
        + (f"; left out, as some of their data is not here: {left_out}" if left_out else "")
    )


def _surely_pushed(repo: OpenRepository, before: str) -> set[str]:
    """The objects of a commit that was pushed from here, and that are still on the remote.

    Another clone may have pruned the remote since. What the upstream branch needs is kept then.
    """
    objects, upstream = set(repo.objects_of([before])), upstream_branch()
    latest = git("merge-base", "HEAD", upstream).strip() if upstream else before
    return objects if latest == before else objects & repo.objects_of([latest]).keys()


def _default_remote(repo: OpenRepository) -> tuple[str, str]:
    """The name of the remote, and the git reference of the last commit pushed to it."""
    name, settings = repo.default_remote()
    if name is None or settings is None:
        raise EvergreenError(
            f"{NOT_PUSHED}: no default DVC remote is configured",
            f"{ADD_REMOTE} && {AGAIN}",
        )
    place = hashlib.sha256(repr(sorted(settings.items())).encode()).hexdigest()[:8]
    return name, f"refs/evergreen/pushed/{name}-{place}"


def _unpushed(repo: OpenRepository, head: str, before: str | None) -> tuple[list[str], list[str]]:
    """Commits with data that were not pushed from here, and those whose data is incomplete.

    A fresh clone pushes only its own: a commit belongs to this clone if the scores of its run are
    in the cache, made here or pulled. Another's run may have the same scores; then some folder of
    it is missing, as where one was removed from the cache. The newest has to be complete.
    """
    since = [f"^{before}"] if before else []
    options = ("--full-history", "--diff-filter=AM", "--format=%H")
    commits = git("log", *options, head, *since, "--", *NAMES_DATA).split()
    complete: list[str] = []
    incomplete: list[str] = []
    for commit in commits:
        cached = {
            path: repo.is_cached(md5_hex)
            for path, md5_hex in locked_md5s(show(commit, paths.DVC_LOCK)).items()
            if Path(path).parts[0] in ("data", "models")
        }
        if cached.get(str(paths.SCORED)):
            whole = all(cached.values()) or commit == commits[0]
            (complete if whole else incomplete).append(commit)
    return complete, incomplete


def _check_sound(repo: OpenRepository, objects: dict[str, str]) -> None:
    """Refuse damaged and lost objects: DVC would push a damaged one, and others would pull it."""
    missing = []
    for md5_hex, name in sorted(objects.items()):
        path = repo.cache_path(md5_hex)
        if not path.is_file():
            missing.append(md5_hex)
        elif md5(path) != md5_hex.removesuffix(".dir"):
            raise DataError(
                f"{NOT_PUSHED}: {path} ({name}) does not match its hash",
                f"rm -f {path} && dvc commit --force, which restores it from the "
                f"working folder; then {AGAIN}",
            )
    lost = sorted(set(missing) - repo.on_remote(missing)) if missing else []
    if lost:
        raise DataError(
            f"{NOT_PUSHED}: {plural(len(lost), 'object')} neither in DVC's cache nor on the "
            f"remote, such as {repo.cache_path(lost[0])}",
            f"dvc repro && dvc commit --force && {AGAIN}",
        )


def _refused(name: str, reason: str) -> EvergreenError:
    return EvergreenError(
        f"{NOT_PUSHED}: the DVC remote {name!r} refused: {reason}",
        f"fix that (dvc remote list; dvc remote modify {name} ...), then {AGAIN}",
    )
