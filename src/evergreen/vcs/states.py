"""States of git and DVC in which no command goes on, each with the commands that end it."""

from __future__ import annotations

import errno
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

from evergreen.errors import DISK_FULL_CODES, EvergreenError
from evergreen.settings import paths
from evergreen.vcs.commands import CommandError
from evergreen.vcs.git import current_branch, git, upstream_branch

OPERATIONS = {
    "rebase-merge": ("a rebase", "git rebase --abort"),
    "rebase-apply/applying": ("an application of patches", "git am --abort"),
    "rebase-apply": ("a rebase", "git rebase --abort"),
    "MERGE_HEAD": ("a merge", "git merge --abort"),
    "CHERRY_PICK_HEAD": ("a cherry-pick", "git cherry-pick --abort"),
    "REVERT_HEAD": ("a revert", "git revert --abort"),
    "BISECT_LOG": ("a bisection", "git bisect reset && dvc checkout"),
}
"""What git leaves in its folder during an operation: its name, and the command that ends it."""
PULLS = {"a rebase", "a merge"}
"""What `git pull` may have begun: `evergreen pull` does it without."""
MAIN = ("main", "master")
APPROVED = "Merge the run of "
"""How the titles of our own merges begin, which bring a run that was approved."""
RUNS = (str(paths.DVC_LOCK), f":(glob){paths.HISTORY}/[0-9]*.json")
"""What each run changes."""


def check_state() -> None:
    """Refuse to work in a repository that is in the middle of something else.

    Raises
    ------
    EvergreenError
        The first of `obstacles`.
    """
    for obstacle in obstacles():
        raise obstacle


def obstacles() -> Iterator[EvergreenError]:
    """What keeps commands from working, in the order in which it should be ended.

    Yields
    ------
    EvergreenError
        If git is in the middle of an operation, has conflicts, no commit or no complete history, or
        refuses the repository of another owner.
    """
    try:
        folder, shallow = git("rev-parse", "--git-dir", "--is-shallow-repository").split()
    except CommandError as error:
        if "dubious ownership" in error.message:
            here = shlex.quote(str(Path.cwd()))
            yield EvergreenError(
                "this repository belongs to another user, so git refuses it",
                f"git config --global --add safe.directory {here}",
            )
        return  # no repository: commands that need one say so
    operation = next(_operations(Path(folder)), None)
    yield from [operation] if operation else _conflicts()  # which end with the operation
    if shallow == "true":
        yield EvergreenError(
            "this clone is shallow, but the history of the runs is in that of git",
            "git fetch --unshallow",
        )
    try:
        git("rev-parse", "--verify", "--quiet", "HEAD")
    except CommandError:
        yield EvergreenError(
            "nothing is committed in this repository yet",
            'git add --all && git commit --message "Begin"',
        )


def _operations(folder: Path) -> Iterator[EvergreenError]:
    for name, (operation, end) in OPERATIONS.items():
        if (folder / name).exists():
            cannot = ", and runs can't be merged" if operation in PULLS else ""
            pull = " && evergreen pull" if operation in PULLS else ""
            yield EvergreenError(f"{operation} is under way in git{cannot}", end + pull)


def _conflicts() -> Iterator[EvergreenError]:
    names = dict.fromkeys(
        line.split("\t", 1)[1] for line in git("ls-files", "--unmerged", "-z").split("\0") if line
    )
    if names:
        listed = " ".join(map(shlex.quote, names))
        yield EvergreenError(
            f"files have conflicts that were not resolved: {', '.join(names)}",
            f"git restore --source=HEAD --staged --worktree -- {listed}",
        )


def check_cache_is_writable(cache: Path) -> None:
    """Refuse to start a run whose data DVC could not keep.

    Raises
    ------
    EvergreenError
        With the error of the operating system.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache):
            pass
    except OSError as error:
        if error.errno in DISK_FULL_CODES:
            raise
        chown = f'sudo chown -R "$(id -un)" {shlex.quote(str(cache))}; or '
        raise EvergreenError(
            f"DVC's cache can't be written: {error}",
            f"{'' if error.errno == errno.EROFS else chown}dvc cache dir --local FOLDER",
        ) from None


def way_to_a_branch() -> str:
    """The command that checks out the branch that was there before, or else the main one."""
    local = git("for-each-ref", "--format=%(refname:short)", "refs/heads").split()
    try:
        before = git("rev-parse", "--abbrev-ref", "@{-1}").strip()
    except CommandError:
        before = ""
    known = [name for name in (before, *MAIN, *local) if name in local]
    branch = next((name for name in known if name != current_branch()), MAIN[0])
    return f"git switch {shlex.quote(branch)} && dvc checkout"


def merged_runs(since: str) -> EvergreenError | None:
    """The error where git has merged the runs of two clones, as `git pull` does.

    A merge counts as long as runs of both sides are there.

    Parameters
    ----------
    since
        The commit of the last recorded run: what was before it can't be changed any more.
    """
    merges = git("rev-list", "--merges", "--parents", "HEAD", "--not", f"{since}^@")
    for merge, ours, theirs, *_ in map(str.split, merges.splitlines()):
        base = git("merge-base", ours, theirs).strip()
        of_ours, of_theirs = _run_changes(base, ours), _run_changes(base, theirs)
        if (
            of_theirs & _run_changes(ours, "HEAD")
            and of_ours & _run_changes(theirs, "HEAD")
            and not git("show", "--no-patch", "--format=%s", merge).startswith(APPROVED)
        ):
            return _taking_apart(merge)
    return None


def _run_changes(before: str, after: str) -> set[str]:
    """The files of runs that differ between two commits."""
    return set(git("diff", "--name-only", before, after, "--", *RUNS).splitlines())


def _taking_apart(merge: str) -> EvergreenError:
    upstream = upstream_branch()
    if upstream and git("rev-list", f"{upstream}..HEAD"):
        aside = f"merged-{git('rev-parse', '--short', 'HEAD').strip()}"
        way = f"git branch --force {aside} && git reset --keep {upstream}"
    else:
        way = f"git revert --no-edit --mainline 1 {merge[:7]}"
    return EvergreenError(
        f"commit {merge[:7]} of git has merged the runs of two clones: each run starts from the "
        "one before it, so runs can't be merged",
        f"{way} && evergreen pull",
    )
