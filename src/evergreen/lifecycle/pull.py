"""Pull what others have recorded, and serve it."""

from __future__ import annotations

from collections.abc import Iterator

from evergreen.core.wording import plural
from evergreen.errors import EvergreenError
from evergreen.history import run_records
from evergreen.lifecycle import review
from evergreen.lifecycle.ensure_served import ensure_served
from evergreen.lifecycle.forget import remove_forgotten
from evergreen.settings import paths
from evergreen.settings.loading import load_settings
from evergreen.store import files
from evergreen.vcs import branch_move
from evergreen.vcs.dvc_fetch import check_out, fetch_all, is_laid_out
from evergreen.vcs.git import changes, git, remote_name, remove_branch, show, upstream_branch
from evergreen.vcs.tracked_paths import (
    CODE,
    NAMES_DATA,
    RECORDED,
)

REASON = "evergreen pull"


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
    DataError
        If data are not on the DVC remote, or altered there; nothing changes here then.
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
            fetch_all(upstream)  # first, so that nothing changes if the DVC remote is not sound
            yield from _drop_unfinished_run()
            branch_move.check_unmodified()
            yield from _follow(upstream)
            yield f"{plural(int(theirs), 'commit')} of {upstream} pulled"
        if theirs != "0" or not is_laid_out():
            check_out()
            branch_move.complete()
            paths.PAGE.unlink(missing_ok=True)  # of an earlier run; `evergreen report` writes it
            yield from remove_forgotten()
    yield from ensure_served()


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
    changed = changes(*(tracked or [str(paths.PARAMS)]), untracked=False).splitlines()
    names = {line[3:] for line in changed} - {str(paths.PARAMS)}
    if names:
        git("restore", "--source=HEAD", "--staged", "--worktree", "--", *sorted(names))
    run_records.path_of(as_of).unlink(missing_ok=True)
    (paths.HISTORY / "seconds" / f"{as_of}.json").unlink(missing_ok=True)
    # Last of all, as it tells that there is an unfinished run.
    git("restore", "--source=HEAD", "--staged", "--", str(paths.PARAMS))
    files.write_text(show("HEAD", paths.PARAMS), paths.PARAMS)
    yield f"{as_of}: the unfinished run was dropped; it can be run again"


def _follow(upstream: str) -> Iterator[str]:
    """Move to the upstream branch, with the commits of this clone after it or kept on a branch."""
    ours, theirs = f"{upstream}..HEAD", f"HEAD..{upstream}"
    runs = git("log", "--format=%H", ours, "--", *NAMES_DATA).split()
    inputs = (*NAMES_DATA, str(paths.PARAMS), *CODE)
    if not runs or not git("log", "--format=%H", theirs, "--", *inputs):
        _rebase(upstream)
        return
    rollbacks = ("--", str(paths.HISTORY / "rollbacks"), str(paths.FORGOTTEN))
    subjects = git("log", "--reverse", "--format=%s", ours, *rollbacks).splitlines()
    if subjects:
        raise EvergreenError(
            f"changes that no run makes again were not pushed, and {upstream} has new commits; "
            f"pulling would undo them: {'; '.join(subjects)}",
            f"git branch mine && git reset --keep {upstream} && evergreen pull; then make the "
            "changes again, with --push where the command has it",
        )
    aside = f"unpushed-{git('rev-parse', '--short', 'HEAD').strip()}"
    git("branch", "--force", aside)
    others = git("rev-list", "--reverse", "--no-merges", ours).split()
    new, conflicting = branch_move.replay_commits(
        upstream, [commit for commit in others if commit not in runs]
    )
    branch_move.move_branch(new, REASON)
    yield f"runs of this clone that were not pushed are kept on the branch {aside}"
    for commit in conflicting:
        yield f"{commit[:7]} conflicts with others' commits; it is on the branch {aside} only"


def _rebase(upstream: str) -> None:
    """Move the commits of this clone after the others', or leave everything as it was."""
    new_ones = ("--right-only", "--cherry-pick", "--no-merges", "--reverse")
    commits = git("rev-list", *new_ones, f"{upstream}...HEAD").split()
    new, conflicting = branch_move.replay_commits(upstream, commits)
    if conflicting:
        subjects = git("log", "--no-walk", "--format=%h %s", *conflicting).splitlines()
        raise EvergreenError(
            f"these commits conflict with those of {upstream}: {'; '.join(subjects)}",
            "git pull --rebase, resolve the conflicts, then evergreen pull",
        )
    branch_move.move_branch(new, REASON)
