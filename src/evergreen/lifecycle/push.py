"""Push recorded runs: the data to the DVC remote first, then the commits with git."""

from __future__ import annotations

from collections.abc import Iterator

from evergreen.errors import EvergreenError
from evergreen.history import run_records
from evergreen.lifecycle import review
from evergreen.settings import paths
from evergreen.vcs import remote
from evergreen.vcs.commands import CommandError
from evergreen.vcs.git import files_at, git, upstream_branch
from evergreen.vcs.remote import AGAIN


def push() -> Iterator[str]:
    """Push every run that is recorded here or waiting for review and was not pushed yet.

    The data goes first: a commit that others see never names data that they can't pull.

    Yields
    ------
    str
        A line for each push.

    Raises
    ------
    EvergreenError
        If a remote is not configured or refuses, or has commits that this clone lacks. What is
        recorded and served here stays as it is, and the next push includes it.
    """
    yield remote.push_data()
    upstream = _upstream()
    try:
        git("push", "--quiet")
    except CommandError as error:
        git("fetch", "--quiet")
        if git("rev-list", f"HEAD..{upstream}"):
            raise _diverged(upstream) from None
        raise EvergreenError(
            f"the runs are recorded here and their data is pushed; the commits are not: {error}",
            AGAIN,
        ) from None
    yield f"commits pushed to {upstream}"
    name = upstream.partition("/")[0]
    for run in review.unpushed(name):
        yield remote.push_data(run.commit)
    yield from review.push(name)


def _upstream() -> str:
    upstream = upstream_branch()
    if upstream is None:
        remotes = git("remote").split()
        name = remotes[0] if remotes else "origin"
        add = "" if remotes else f"git remote add {name} URL && "
        raise EvergreenError(
            "the runs are recorded here and their data is pushed; the commits are not: this "
            "branch has no upstream",
            f"{add}git push --set-upstream {name} HEAD; after that {AGAIN}",
        )
    return upstream


def _diverged(upstream: str) -> EvergreenError:
    """The error where others have pushed first, with the commands that resolve it.

    Runs can't be merged, since each starts from what was recorded before it. So the runs of this
    clone are kept on a branch, and those later than the others' are run again.
    """
    names = files_at(upstream, paths.HISTORY)
    records = [name for name in names if name.count("/") == 1 and name.endswith(".json")]
    last = max(records, default="")
    later = [day for day in run_records.dates() if str(run_records.path_of(day)) > last]
    runs = [f"evergreen cycle --as-of {day} --push" for day in later] or [AGAIN]
    return EvergreenError(
        f"git push was rejected: {upstream} has commits that this clone lacks. Nothing is lost, "
        "and the data of this clone's runs is pushed. Runs can't be merged: pull the other runs, "
        "which keeps this clone's runs on a branch, and repeat those that are later",
        " && ".join(["evergreen pull", *runs]),
    )
