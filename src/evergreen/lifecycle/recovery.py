"""Before a command: make good what an earlier one left that was killed or lost its power."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from evergreen.errors import EvergreenError
from evergreen.history import forget_records
from evergreen.settings import paths
from evergreen.store import files
from evergreen.vcs import branch_move, dvc_internals, run_log
from evergreen.vcs.dvc_fetch import check_out
from evergreen.vcs.git import changes, files_at, git_folders, show
from evergreen.vcs.tracked_paths import PINS, ROLLBACK_PIN

OUTPUTS = (Path("data"), Path("models"), Path("reports"))
"""Where DVC lays out the outputs of stages."""
ROOTS = (*OUTPUTS, paths.RELEASES, paths.HISTORY, paths.CACHE, paths.HISTORY_PARTS, paths.SECONDS)
"""The folders in which commands write under temporary names."""
SCRATCH = "evergreen-scratch-"
"""How the names of temporary folders beside the lock begin."""


def remove_leftovers() -> Iterator[str]:
    """Remove what a killed command left under temporary names, and the locks of its git.

    The caller holds the lock of the repository.

    Yields
    ------
    str
        A line if a command was killed.

    Raises
    ------
    EvergreenError
        If a child of the killed command is still at work.
    """
    run = run_log.left()
    if run is None:
        return
    if run.alive is not None:
        raise EvergreenError(
            f"`{run.command}` was killed, but its child `{run.child}` (process {run.alive}) is "
            "still at work",
            "wait until it has ended, then run the same command again",
        )
    locks = run_log.remove_left_in_git(git_folders(), run) if run.child else []
    run_log.remove_left_by_dvc((Path(".dvc/cache"), *OUTPUTS), run)
    unfinished = (path for root in ROOTS for path in root.rglob(".*.unfinished"))
    for path in (*Path().glob(".*.unfinished"), *unfinished):
        if files.is_left(path):
            files.recover(path)
    for path in paths.LOCK.parent.glob(f"{SCRATCH}*"):
        files.remove(path)
    for path in (paths.FETCHED, paths.WORK, branch_move.SCRATCH):
        files.remove(path)
    branch_move.forget_worktree()
    removed = f"; removed {', '.join(map(str, locks))}" if locks else ""
    yield f"`{run.command}` was killed, which is made good{removed}"


def repair() -> Iterator[str]:
    """Restore files that are cut off, and complete a move of the branch that was stopped.

    Yields
    ------
    str
        A line for each repair.
    """
    yield from _restore_dvc_files()
    yield from _restore_records()
    reason = branch_move.resume()
    if reason is not None:
        check_out()
        branch_move.complete()
        yield f"{reason}: completed"
    if record := forget_records.unfinished():
        from evergreen.lifecycle.forget import complete  # noqa: PLC0415 - loads pandas

        yield "`evergreen forget` was killed, and is completed:"
        yield from complete(record)


def is_needed() -> bool:
    """Whether a command was killed, as far as files tell, or is at work."""
    return run_log.holder() is not None or any(_cut_off())


def _restore_dvc_files() -> Iterator[str]:
    for name, before in _cut_off():
        if before is None:
            Path(name).unlink()
            yield f"{name} was cut off by a kill, and is removed: it will be written again"
        else:
            files.write_text(before, Path(name))
            yield f"{name} was cut off by a kill; the last committed one is restored"


def _cut_off() -> Iterator[tuple[str, str | None]]:
    """DVC writes its files in place, so a kill may cut one off; with its committed text."""
    names = [name for name in (str(paths.DVC_LOCK), *PINS, ROLLBACK_PIN) if Path(name).is_file()]
    committed = set(files_at("HEAD", *names)) if names else set()
    modified = [line[3:] for line in changes(*names).splitlines()] if names else []
    for name in modified:
        before = show("HEAD", name) if name in committed else None
        text = Path(name).read_text("utf-8", errors="replace")
        if dvc_internals.is_cut_off(name, text, before):
            yield name, before


def _restore_records() -> Iterator[str]:
    """Restore records that a power loss or a kill has emptied; those of no commit are removed."""
    for line in changes(paths.HISTORY).splitlines():
        path = Path(line[3:])
        for record in sorted(path.rglob("*.json")) if path.is_dir() else [path]:
            if record.suffix != ".json" or not record.is_file() or _is_json(record):
                continue
            if files_at("HEAD", record):
                files.write_text(show("HEAD", record), record)
                yield f"{record} was cut off by a kill; the committed one is restored"
            else:
                record.unlink()
                yield f"{record} was cut off by a kill, and is removed: it will be written again"


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text("utf-8"))
    except ValueError:
        return False
    return True
