"""Refuse what the repository is not ready for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evergreen.errors import EvergreenError
from evergreen.vcs.git import current_branch

if TYPE_CHECKING:
    from datetime import date

REVIEW_BRANCH = "evergreen/run-"
"""The branch of a run that is waiting for review; its date follows."""


def check_branch() -> None:
    """Refuse to run or serve anything on the branch of a run that is waiting for review.

    Raises
    ------
    EvergreenError
        If that is what is checked out, or a commit without a branch.
    """
    branch = current_branch()
    main = "runs are made and served on the main branch"
    if branch.startswith(REVIEW_BRANCH):
        raise EvergreenError(
            f"{branch} is checked out, the branch of a run that is waiting for review; {main}",
            "git switch - && dvc checkout",
        )
    if branch == "HEAD":
        raise EvergreenError(
            f"a commit is checked out, and no branch; {main}",
            "git switch main (or another branch) && dvc checkout",
        )


def unfinished(as_of: date) -> EvergreenError:
    """The error for a run that was started and is not finished."""
    return EvergreenError(f"the run of {as_of} is not finished", "dvc repro && evergreen finish")
