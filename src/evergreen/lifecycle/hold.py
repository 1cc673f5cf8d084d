"""Hold a target: keep its model in production whatever the gate decides."""

from __future__ import annotations

from collections.abc import Iterator

from evergreen.errors import DataError
from evergreen.history import run_records
from evergreen.lifecycle import params_file, review
from evergreen.settings import paths
from evergreen.settings.loading import load_settings
from evergreen.vcs.git import changes, commit


def set_hold(target: str, reason: str | None) -> Iterator[str]:
    """Hold a target's model in production, or end the hold if the reason is None.

    Yields
    ------
    str
        What was done.

    Raises
    ------
    DataError
        If there is no such target, or it is not held.
    EvergreenError
        If a run was started and is not finished: a commit of the settings would include its date.
    """
    review.check_branch()
    settings, last = load_settings(), run_records.last()
    if last is not None and settings.as_of != last.as_of:
        raise run_records.unfinished(settings.as_of)
    if reason is None and target in settings.targets and target not in settings.hold:
        if changes(paths.PARAMS):  # a call that was killed has written it
            commit(f"End the hold of {target}", paths.PARAMS)
        yield f"{target} is not held"
        return
    allowed = settings.hold if reason is None else settings.targets
    if target not in allowed:
        names = ", ".join(allowed)
        raise DataError(
            f"{target!r} is not one of {names}" if names else "no target is held",
            "evergreen history",
        )
    if settings.hold.get(target) == reason and not changes(paths.PARAMS):
        yield f"{target} is already held: {reason}"
        return
    others = {name: why for name, why in settings.hold.items() if name != target}
    params_file.write({"hold": others if reason is None else others | {target: reason}})
    message = f"End the hold of {target}" if reason is None else f"Hold {target}: {reason}"
    commit(message, paths.PARAMS)
    yield message
