"""Take over what others have recorded, and serve it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from evergreen.core.wording import plural
from evergreen.errors import EvergreenError
from evergreen.history import run_records
from evergreen.lifecycle import review
from evergreen.lifecycle.ensure_served import republish
from evergreen.settings import paths
from evergreen.settings.loading import load_settings
from evergreen.vcs.commands import CommandError
from evergreen.vcs.dvc import check_out
from evergreen.vcs.dvc_internals import pin_file
from evergreen.vcs.git import git, remote_name, remove_branch, upstream_branch
from evergreen.vcs.tracked_paths import (
    CODE,
    INPUTS,
    NAMES_DATA,
    RECORDED,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


def pull() -> Iterator[str]:
    """Follow the upstream branch, with its data, and serve what is recorded there.

    Runs can't be merged, since each was made from what was recorded before it, `dvc.lock` least of
    all. So where others have pushed first, this clone's own runs are kept on a branch, a run that
    was begun is dropped, and both can be made again after what the others have recorded. Other
    commits of this clone, such as holds and rejections, are made again after the others'. Where
    they change what is served, nothing is taken over.

    Yields
    ------
    str
        What was done, a line each.

    Raises
    ------
    EvergreenError
        If the remote can't be reached, files that git knows were changed here, what is served was
        changed here alone, or commits of this clone can't be rebased.
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
            yield f"{plural(int(theirs), 'commit')} of {upstream} taken over"
        if theirs != "0" or _lacks_inputs():
            check_out()
            paths.PAGE.unlink(missing_ok=True)  # of a run before; `evergreen report` writes it anew
    yield from republish()


def _lacks_inputs() -> bool:
    """Whether this is a clone into which no data has come yet."""
    return any(pin_file(path).exists() > path.exists() for path in INPUTS)


def _fetch() -> Iterator[str]:
    """Fetch; a branch of a run that is gone from the remote was closed there."""
    remote = remote_name()
    before = {run.as_of for run in review.waiting()} - {
        run.as_of for run in review.unpushed(str(remote))
    }
    git("fetch", "--quiet", "--prune", str(remote))
    for run in review.unpushed(str(remote)):
        if run.as_of in before:
            remove_branch(run.branch, None)
            yield f"{run.as_of}: closed on {remote}, its branch is gone there"


def _drop_what_was_begun() -> Iterator[str]:
    begun = load_settings().as_of
    if run_records.is_recorded(begun):
        return
    for line in git("status", "--porcelain", "--", *_existing(RECORDED)).splitlines():
        state, name = line[:2], line[3:]
        if state != "??":
            git("restore", "--source=HEAD", "--staged", "--worktree", "--", name)
    run_records.path_of(begun).unlink(missing_ok=True)
    (paths.HISTORY / "seconds" / f"{begun}.json").unlink(missing_ok=True)
    yield f"{begun}: begun and not finished; dropped, to be made again"


def _existing(names: tuple[str, ...]) -> list[str]:
    return git("ls-files", "--", *names).splitlines() or [str(paths.PARAMS)]


def _follow(upstream: str) -> Iterator[str]:
    ours, theirs = f"{upstream}..HEAD", f"HEAD..{upstream}"
    runs = git("log", "--format=%H", ours, "--", *NAMES_DATA).split()
    made_by = (*NAMES_DATA, str(paths.PARAMS), *CODE)
    if not runs or not git("log", "--format=%H", theirs, "--", *made_by):
        _rebase(upstream)
        return
    decided = ("--", str(paths.HISTORY / "rollbacks"))
    served = git("log", "--reverse", "--format=%s", ours, *decided).splitlines()
    if served:
        raise EvergreenError(
            f"what is served was changed here and not pushed, and {upstream} has gone on; to take "
            f"that over would serve again what is served there: {'; '.join(served)}",
            f"git branch mine && git reset --keep {upstream} && evergreen pull; then decide again, "
            "with --push where there is one",
        )
    aside = f"unpushed-{git('rev-parse', '--short', 'HEAD').strip()}"
    git("branch", "--force", aside)
    git("reset", "--quiet", "--keep", upstream)
    yield f"runs of this clone that were not pushed are on the branch {aside}"
    for commit in git("rev-list", "--reverse", "--no-merges", f"{upstream}..{aside}").split():
        if commit not in runs:
            yield from _make_again(commit, aside)


def _rebase(upstream: str) -> None:
    """Make the commits of this clone again after those of others, or leave all as it was."""
    try:
        git("rebase", "--quiet", upstream)
    except CommandError:
        with suppress(CommandError):  # it may have refused to begin
            git("rebase", "--abort")
        raise


def _make_again(commit: str, aside: str) -> Iterator[str]:
    try:
        git("cherry-pick", commit)
    except CommandError:
        git("cherry-pick", "--abort")
        yield f"{commit[:7]} does not go with what others did; it is on the branch {aside} alone"
