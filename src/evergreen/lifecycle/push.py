"""Push what is recorded: the data to the DVC remote first, then the commits with git."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evergreen.errors import EvergreenError
from evergreen.history import run_records
from evergreen.lifecycle import review
from evergreen.settings import paths
from evergreen.vcs import remote
from evergreen.vcs.commands import CommandError
from evergreen.vcs.git import files_at, git, upstream_branch
from evergreen.vcs.remote import AGAIN

if TYPE_CHECKING:
    from collections.abc import Iterator


def push() -> Iterator[str]:
    """Push every run that is recorded here, or waits for review, and was not pushed yet.

    A commit that others see never names data that they can't pull: the data goes first.

    Yields
    ------
    str
        What was pushed, a line each.

    Raises
    ------
    EvergreenError
        If a remote is not configured or refuses, or has gone on without this clone. What is
        recorded and served here stays as it is, and a later push takes it along.
    """
    yield remote.push_data()
    upstream = _upstream()
    try:
        git("push", "--quiet")
    except CommandError as error:
        git("fetch", "--quiet")
        if git("rev-list", f"HEAD..{upstream}"):
            raise _gone_on(upstream) from None
        raise EvergreenError(
            f"the runs are recorded here and their data is pushed, the commits are not: {error}",
            AGAIN,
        ) from None
    yield f"commits pushed to {upstream}"
    name = upstream.partition("/")[0]
    for run in review.unpushed(name):
        yield remote.push_data(run.commit)
    yield from review.push(name)


def _upstream() -> str:
    found = upstream_branch()
    if found is None:
        known = git("remote").split()
        name = known[0] if known else "origin"
        add = "" if known else f"git remote add {name} URL && "
        raise EvergreenError(
            "the runs are recorded here and their data is pushed; the commits are not, for this "
            "branch has no upstream",
            f"{add}git push --set-upstream {name} HEAD; from then on {AGAIN}",
        )
    return found


def _gone_on(upstream: str) -> EvergreenError:
    """Others have pushed: what to do about it.

    Two runs can't be merged, since each was made from what was recorded before it. So what was
    made here is set aside in a branch, and made again after what the others have recorded.
    """
    names = files_at(upstream, paths.HISTORY)
    ours = [day for day in run_records.dates() if str(run_records.path_of(day)) not in names]
    last = max(
        (name for name in names if name.count("/") == 1 and name.endswith(".json")), default=""
    )
    again = [day for day in ours if str(run_records.path_of(day)) > last]
    runs = [f"evergreen cycle --as-of {day} --push" for day in again] or ["evergreen finish --push"]
    return EvergreenError(
        f"git push was rejected: {upstream} has commits that this clone lacks. Nothing is lost: "
        f"what was recorded here stays, and its data is pushed; but runs can't be merged, "
        f"dvc.lock least of all. Set this clone's runs aside, take over the others', and run again "
        f"what is later than those",
        " && ".join(["evergreen pull", *runs]),
    )
