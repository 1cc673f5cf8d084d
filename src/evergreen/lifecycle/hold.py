"""Keep a target's model in production whatever the gate says, or let it go."""

from __future__ import annotations

from evergreen.errors import DataError, EvergreenError
from evergreen.history import run_records
from evergreen.lifecycle import params_file, review
from evergreen.settings import paths
from evergreen.settings.loading import load_settings
from evergreen.vcs.git import commit


def set_hold(target: str, reason: str | None) -> str:
    """Hold a target's model in production whatever the gate says, or let it go with None.

    Raises
    ------
    DataError
        If there is no such target, or none to let go.
    EvergreenError
        If a run has been begun and is not finished.
    """
    review.check_branch()
    settings, last = load_settings(), run_records.last()
    if last is not None and settings.as_of != last.as_of:
        raise EvergreenError(
            f"the run for {settings.as_of} is not finished; a hold would take its date along",
            "dvc repro && evergreen finish",
        )
    if target not in settings.targets or (reason is None and target not in settings.hold):
        known = settings.targets if reason is not None else settings.hold
        raise DataError(
            f"{target!r} is none of {', '.join(known) or 'no target'}", "evergreen history"
        )
    others = {name: why for name, why in settings.hold.items() if name != target}
    params_file.write({"hold": others if reason is None else others | {target: reason}})
    words = f"Release {target} from its hold" if reason is None else f"Hold {target}: {reason}"
    commit(words, paths.PARAMS)
    return words
