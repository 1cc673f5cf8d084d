"""Hold a target: keep its model in production whatever the gate decides."""

from __future__ import annotations

from collections.abc import Iterator

from evergreen.errors import DataError, EvergreenError
from evergreen.history import run_records
from evergreen.history.parameter_changes import parameters_changed
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
        If there is no such target.
    EvergreenError
        If a run was started and is not finished, or other settings were changed: a commit of the
        settings would include them.
    """
    review.check_branch()
    settings, last = load_settings(), run_records.last()
    if last is not None and settings.as_of != last.as_of:
        raise run_records.unfinished(settings.as_of)
    if target not in settings.targets.keys() | settings.hold.keys():
        names = ", ".join(settings.targets)
        raise DataError(f"{target!r} is not one of {names}", "evergreen history")
    check_no_other_changes()
    if settings.hold.get(target) != reason:
        others = {name: why for name, why in settings.hold.items() if name != target}
        params_file.write({"hold": others if reason is None else others | {target: reason}})
    if not changes(paths.PARAMS):
        yield f"{target} is not held" if reason is None else f"{target} is already held: {reason}"
        return
    message = f"End the hold of {target}" if reason is None else f"Hold {target}: {reason}"
    commit(message, paths.PARAMS)
    yield message


def check_no_other_changes() -> None:
    """Refuse to commit changed settings with a hold, which a killed call may have left.

    Raises
    ------
    EvergreenError
        With their keys.
    """
    changed = [key for key in parameters_changed("HEAD") if key.partition(".")[0] != "hold"]
    if changed:
        raise EvergreenError(
            f"{paths.PARAMS} has uncommitted changes, which would be committed with the hold: "
            f"{', '.join(changed)}",
            f'git commit --message "..." {paths.PARAMS}, or git restore {paths.PARAMS}',
        )
