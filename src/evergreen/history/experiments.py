"""Whether the workspace holds an experiment: another `dvc.lock` for a date that is recorded."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

from evergreen.errors import EvergreenError
from evergreen.history import run_records
from evergreen.settings import paths
from evergreen.store import files
from evergreen.store.used_parameters import flat
from evergreen.vcs.dvc_files import LockedInputs, locked_inputs
from evergreen.vcs.git import changes, show

REPLACE = 'evergreen finish --replace --reason "..."'
"""Records another verdict on a date that is recorded."""
SHOWN = 6
"""Differences that a message lists."""


class Experiment(NamedTuple):
    """A run of a recorded date that differs from what is recorded.

    Attributes
    ----------
    as_of
        The date.
    differences
        The parameters, and after them the inputs and the code, that differ; none if only the
        results do, as on another platform.
    way_back
        The commands that restore the recorded run.
    platforms
        Where the recorded run and this one were made, if it was not on the same.
    """

    as_of: date
    differences: list[str]
    way_back: str
    platforms: tuple[str, str] | None = None

    @property
    def is_remade(self) -> bool:
        """Whether only the results differ: the same run, as made on another platform."""
        return not self.differences

    def __str__(self) -> str:
        """What differs, in one sentence."""
        if self.is_remade:
            why = "has other results"
            if self.platforms:
                why = f"was made on {self.platforms[1]}, the recorded one on {self.platforms[0]}"
            return (
                f"the run of {self.as_of} in the workspace {why}: dvc.lock differs from the "
                "recorded one, but no parameter, input or code does"
            )
        listed = self.differences[:SHOWN]
        if more := len(self.differences) - len(listed):
            listed.append(f"{more} more")
        return (
            f"an experiment is in the workspace: {self.as_of} is recorded, and its dvc.lock "
            f"differs in {', '.join(listed)}"
        )


def find_experiment(as_of: date) -> Experiment | None:
    """Compare the workspace with what is recorded for a date.

    Returns
    -------
    Experiment or None
        None if nothing is committed for that date, or `dvc.lock` is as recorded.
    """
    recorded = run_records.committed(as_of)
    if recorded is None or not paths.DVC_LOCK.is_file():
        return None
    if files.sha256(paths.DVC_LOCK) == recorded.lock:
        return None
    commit = run_records.commit_of(as_of)
    differences = _differences(
        locked_inputs(show(commit, paths.DVC_LOCK)),
        locked_inputs(paths.DVC_LOCK.read_text(encoding="utf-8")),
    )
    return Experiment(as_of, differences, _way_back(commit), _platforms(recorded))


def check_no_experiment(as_of: date) -> None:
    """Refuse to go on from an experiment.

    Raises
    ------
    EvergreenError
        With the way back to the recorded run.
    """
    experiment = find_experiment(as_of)
    if experiment is not None:
        also = "; or evergreen finish, to record it" if experiment.is_remade else ""
        raise EvergreenError(str(experiment), experiment.way_back + also)


def _differences(before: LockedInputs, after: LockedInputs) -> list[str]:
    old, new = flat(before.parameters), flat(after.parameters)
    return [
        *(
            f"{key}: {_shown(old, key)} -> {_shown(new, key)}"
            for key in sorted(old.keys() | new.keys())
            if old.get(key) != new.get(key)
        ),
        *(
            name
            for name in sorted(before.hashes.keys() | after.hashes.keys())
            if before.hashes.get(name) != after.hashes.get(name)
        ),
    ]


def _platforms(recorded: run_records.RunRecord) -> tuple[str, str] | None:
    if recorded.machine is None or not paths.DECISION_REPORT.is_file():
        return None
    made_on = files.read_json(paths.DECISION_REPORT, next_step="dvc repro")["platform"]
    return (recorded.machine.platform, made_on) if recorded.machine.platform != made_on else None


def _shown(values: dict[str, Any], key: str) -> str:
    return str(values[key]) if key in values else "not set"


def _way_back(commit: str) -> str:
    """The commands that restore a recorded run, wherever its `dvc.lock` was changed since."""
    if changes(paths.DVC_LOCK)[:1].strip():
        return "git restore --staged --worktree . && dvc checkout"
    if changes(paths.DVC_LOCK):
        return "git restore . && dvc checkout"
    names = f"{paths.DVC_LOCK} {paths.PARAMS}"
    return f"git restore --source={commit[:7]} {names} && dvc checkout"
