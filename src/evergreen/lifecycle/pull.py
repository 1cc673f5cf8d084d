"""Pull what others have recorded, and serve it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from evergreen.core.wording import plural
from evergreen.errors import EvergreenError
from evergreen.history import run_records
from evergreen.lifecycle import review
from evergreen.lifecycle.ensure_served import ensure_served
from evergreen.settings import paths
from evergreen.settings.loading import load_settings
from evergreen.vcs.commands import CommandError
from evergreen.vcs.dvc import check_out
from evergreen.vcs.dvc_internals import pin_file
from evergreen.vcs.git import changes, git, remote_name, remove_branch, upstream_branch
from evergreen.vcs.tracked_paths import (
    CODE,
    INPUTS,
    NAMES_DATA,
    RECORDED,
)


def pull() -> Iterator[str]:
    """Update to the upstream branch, with its data, and serve what is recorded there.

    Runs can't be merged, since each starts from what was recorded before it, and `dvc.lock` least
    of all. If others have pushed first, this clone's own runs are kept on a branch, an unfinished
    run is dropped, and both can be run again after those of the others. Other commits of this
    clone, such as holds and rejections, are applied after the others'. If they change what is
    served, nothing is pulled.

    Yields
    ------
    str
        A line for each step.

    Raises
    ------
    EvergreenError
        If the remote can't be reached, tracked files were changed, a rollback of this clone was
        not pushed, or its commits can't be rebased.
    """
    review.check_branch()
    upstream = upstream_branch()
    if upstream is None:
        yield "this branch has no upstream: nothing to pull"
    else:
        yield from _fetch()
        theirs = git("rev-list", "--count", f"HEAD..{upstream}").strip()
        if theirs == "0":
            yield f"{upstream} has nothing new"
        else:
            yield from _drop_unfinished_run()
            yield from _follow(upstream)
            yield f"{plural(int(theirs), 'commit')} of {upstream} pulled"
        if theirs != "0" or _lacks_inputs():
            check_out()
            paths.PAGE.unlink(missing_ok=True)  # of an earlier run; `evergreen report` writes it
    yield from ensure_served()


def _lacks_inputs() -> bool:
    """Whether this is a clone without data."""
    return any(pin_file(path).exists() > path.exists() for path in INPUTS)


def _fetch() -> Iterator[str]:
    """Fetch; remove the branches of pending runs that were removed from the remote."""
    remote = remote_name()
    pushed = {run.as_of for run in review.pending_runs()} - {
        run.as_of for run in review.unpushed(str(remote))
    }
    git("fetch", "--quiet", "--prune", str(remote))
    for run in review.unpushed(str(remote)):
        if run.as_of in pushed:
            remove_branch(run.branch, None)
            yield f"{run.as_of}: closed on {remote}, where its branch was removed"


def _drop_unfinished_run() -> Iterator[str]:
    as_of = load_settings().as_of
    if run_records.is_recorded(as_of):
        return
    tracked = git("ls-files", "--", *RECORDED).splitlines()
    for line in changes(*(tracked or [str(paths.PARAMS)]), untracked=False).splitlines():
        git("restore", "--source=HEAD", "--staged", "--worktree", "--", line[3:])
    run_records.path_of(as_of).unlink(missing_ok=True)
    (paths.HISTORY / "seconds" / f"{as_of}.json").unlink(missing_ok=True)
    yield f"{as_of}: the unfinished run was dropped; it can be run again"


def _follow(upstream: str) -> Iterator[str]:
    """Move to the upstream branch, with the commits of this clone after it or kept on a branch."""
    ours, theirs = f"{upstream}..HEAD", f"HEAD..{upstream}"
    runs = git("log", "--format=%H", ours, "--", *NAMES_DATA).split()
    inputs = (*NAMES_DATA, str(paths.PARAMS), *CODE)
    if not runs or not git("log", "--format=%H", theirs, "--", *inputs):
        _rebase(upstream)
        return
    rollbacks = ("--", str(paths.HISTORY / "rollbacks"))
    subjects = git("log", "--reverse", "--format=%s", ours, *rollbacks).splitlines()
    if subjects:
        raise EvergreenError(
            f"changes to what is served were not pushed, and {upstream} has new commits; pulling "
            f"would undo them: {'; '.join(subjects)}",
            f"git branch mine && git reset --keep {upstream} && evergreen pull; then make the "
            "changes again, with --push where the command has it",
        )
    aside = f"unpushed-{git('rev-parse', '--short', 'HEAD').strip()}"
    git("branch", "--force", aside)
    git("reset", "--quiet", "--keep", upstream)
    yield f"runs of this clone that were not pushed are kept on the branch {aside}"
    for commit in git("rev-list", "--reverse", "--no-merges", f"{upstream}..{aside}").split():
        if commit not in runs:
            yield from _apply(commit, aside)


def _rebase(upstream: str) -> None:
    """Rebase the commits of this clone, or leave everything as it was."""
    try:
        git("rebase", "--quiet", upstream)
    except CommandError:
        with suppress(CommandError):  # it may have refused to start
            git("rebase", "--abort")
        raise


def _apply(commit: str, aside: str) -> Iterator[str]:
    try:
        git("cherry-pick", commit)
    except CommandError:
        git("cherry-pick", "--abort")
        yield f"{commit[:7]} conflicts with others' commits; it is on the branch {aside} only"
