"""Take over what others have recorded, and serve it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evergreen import paths
from evergreen.loop import history, review
from evergreen.loop.commands import git, remote_name, upstream_branch
from evergreen.loop.republish import republish
from evergreen.loop.versioned import INPUTS, NAMES_DATA, RECORDED
from evergreen.loop.wording import counted
from evergreen.params import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator


def pull() -> Iterator[str]:
    """Follow the upstream branch, with its data, and serve what is recorded there.

    Runs can't be merged, since each was made from what was recorded before it, `dvc.lock` least of
    all. So where others have pushed first, this clone's own runs are kept on a branch, a run that
    was begun is dropped, and both can be made again after what the others have recorded. Other
    commits of this clone are rebased.

    Yields
    ------
    str
        What was done, a line each.

    Raises
    ------
    CommandError
        If the remote can't be reached, or files that git knows were changed here.
    """
    review.check_branch()
    upstream = upstream_branch()
    if upstream is None:
        yield "this branch follows no other: there is nothing to take over"
    else:
        yield from _fetch()
        theirs = git("rev-list", "--count", f"HEAD..{upstream}").strip()
        if theirs == "0":
            yield f"{upstream} has nothing new"
        else:
            yield from _drop_what_was_begun()
            yield from _follow(upstream)
            yield f"{counted(int(theirs), 'commit')} of {upstream} taken over"
        if theirs != "0" or _lacks_inputs():
            review.check_out()
            paths.PAGE.unlink(missing_ok=True)  # of a run before; `evergreen report` writes it anew
    yield from republish()


def _lacks_inputs() -> bool:
    """Whether this is a clone into which no data has come yet."""
    return any(path.with_name(f"{path.name}.dvc").exists() > path.exists() for path in INPUTS)


def _fetch() -> Iterator[str]:
    """Fetch; a branch of a run that is gone from the remote was closed there."""
    remote = remote_name()
    before = {run.as_of for run in review.waiting()} - {
        run.as_of for run in review.unpushed(str(remote))
    }
    git("fetch", "--quiet", "--prune", str(remote))
    for run in review.unpushed(str(remote)):
        if run.as_of in before:
            review.remove_branch(run, None)
            yield f"{run.as_of}: closed on {remote}, its branch is gone there"


def _drop_what_was_begun() -> Iterator[str]:
    begun = load_settings().as_of
    if history.is_recorded(begun):
        return
    for line in git("status", "--porcelain", "--", *_existing(RECORDED)).splitlines():
        state, name = line[:2], line[3:]
        if state != "??":
            git("restore", "--source=HEAD", "--staged", "--worktree", "--", name)
    history.path_of(begun).unlink(missing_ok=True)
    (paths.HISTORY / "seconds" / f"{begun}.json").unlink(missing_ok=True)
    yield f"{begun}: begun and not finished; dropped, to be made again"


def _existing(names: tuple[str, ...]) -> list[str]:
    return git("ls-files", "--", *names).splitlines() or [str(paths.PARAMS)]


def _follow(upstream: str) -> Iterator[str]:
    runs = git("log", "--format=%H", f"{upstream}..HEAD", "--", *NAMES_DATA)
    if not runs:
        git("rebase", "--quiet", upstream)
        return
    aside = f"unpushed-{git('rev-parse', '--short', 'HEAD').strip()}"
    git("branch", "--force", aside)
    git("reset", "--quiet", "--keep", upstream)
    yield f"runs of this clone that were not pushed are on the branch {aside}"
