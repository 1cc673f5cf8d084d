"""States of git and DVC in which no command goes on, each with the commands that end it."""

from __future__ import annotations

import shlex
import tempfile
from pathlib import Path

from evergreen.errors import EvergreenError
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


def check_state() -> None:
    """Refuse to work in a repository that is in the middle of something else.

    Raises
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
            raise EvergreenError(
                "this repository belongs to another user, so git refuses it",
                f"git config --global --add safe.directory {here}",
            ) from None
        return  # no repository: commands that need one say so
    _check_operation(Path(folder))
    _check_conflicts()
    if shallow == "true":
        raise EvergreenError(
            "this clone is shallow, but the history of the runs is in that of git",
            "git fetch --unshallow",
        )
    try:
        git("rev-parse", "--verify", "--quiet", "HEAD")
    except CommandError:
        raise EvergreenError(
            "nothing is committed in this repository yet",
            'git add --all && git commit --message "Begin"',
        ) from None


def _check_operation(folder: Path) -> None:
    for name, (operation, end) in OPERATIONS.items():
        if (folder / name).exists():
            cannot = ", and runs can't be merged" if operation in PULLS else ""
            pull = " && evergreen pull" if operation in PULLS else ""
            raise EvergreenError(f"{operation} is under way in git{cannot}", end + pull)


def _check_conflicts() -> None:
    names = dict.fromkeys(
        line.split("\t", 1)[1] for line in git("ls-files", "--unmerged", "-z").split("\0") if line
    )
    if names:
        listed = " ".join(map(shlex.quote, names))
        raise EvergreenError(
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
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise EvergreenError(
            f"DVC's cache can't be written: {error}",
            f'sudo chown -R "$(id -un)" {shlex.quote(str(cache))}; or dvc cache dir --local FOLDER',
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


def merged_runs(last: str) -> EvergreenError:
    """The error where git has merged runs of two clones: the settings are not of the last run."""
    upstream = upstream_branch()
    if upstream and git("rev-list", f"{upstream}..HEAD"):
        way = f"git branch merged && git reset --keep {upstream} && evergreen pull"
    else:
        merge = git("rev-list", "--merges", "--first-parent", "--max-count=1", "HEAD").strip()
        way = f"git revert --no-edit --mainline 1 {merge[:7]} && dvc checkout"
    return EvergreenError(
        f"git has merged the runs of two clones: params.yaml is not that of the last run, {last}. "
        "Each run starts from the one before it, so runs can't be merged",
        way,
    )
