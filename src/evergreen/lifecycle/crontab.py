"""The entries of this repository in the user's crontab; other entries stay as they are."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

from evergreen.errors import EvergreenError
from evergreen.vcs.dvc_internals import remote_names
from evergreen.vcs.remote import ADD_REMOTE

TIMES = {
    "ml_daily_update.sh": "0 6 * * *",
    "ml_weekly_retrain.sh": "0 2 * * 0",
    "ml_monthly_ab_test.sh": "0 3 1 * *",
}
"""Each script and when cron calls it: minute, hour, day of the month, month, day of the week."""
MISSING = "no crontab for"
NO_REMOTE = (
    "none: data and models are on this disk only, and `dvc gc` deletes those of all earlier runs"
)


def entries(root: Path) -> list[str]:
    """The lines for a repository, between two comments that mark them.

    >>> from pathlib import Path
    >>> entries(Path("/srv/the shop"))[1]
    "0 6 * * * '/srv/the shop/scripts/ml_daily_update.sh'"
    """
    lines = [f"{when} {_quoted(root / 'scripts' / name)}" for name, when in TIMES.items()]
    return [_begin(root), *lines, _end(root)]


def with_entries(crontab: str, root: Path) -> str:
    """A crontab with the entries of a repository, in the same place if it had them."""
    lines = crontab.splitlines()
    at = lines.index(_begin(root)) if _begin(root) in lines else len(lines)
    others = without_entries(crontab, root).splitlines()
    return "\n".join([*others[:at], *entries(root), *others[at:]]) + "\n"


def without_entries(crontab: str, root: Path) -> str:
    """A crontab without the entries of a repository; see `entries_in`."""
    own = entries_in(crontab, root)
    lines = crontab.splitlines()
    at = lines.index(own[0]) if own else len(lines)
    return "".join(f"{line}\n" for line in lines[:at] + lines[at + len(own) :])


def entries_in(crontab: str, root: Path) -> list[str]:
    """The lines of a repository in a crontab; none if it is not scheduled.

    Raises
    ------
    EvergreenError
        If their end is missing.
    """
    lines = crontab.splitlines()
    if _begin(root) not in lines:
        return []
    first = lines.index(_begin(root))
    if _end(root) not in lines[first:]:
        raise EvergreenError(
            f"the crontab has the line {_begin(root)!r}, but no {_end(root)!r} after it",
            "crontab -e, and remove the rest of these entries",
        )
    return lines[first : lines.index(_end(root), first) + 1]


def _begin(root: Path) -> str:
    return f"# evergreen in {root}: begin"


def _end(root: Path) -> str:
    return f"# evergreen in {root}: end"


def _quoted(path: Path) -> str:
    """Quoted for the shell and for cron, where a bare percent sign ends the command."""
    return shlex.quote(str(path)).replace("%", r"\%")


def check_remote() -> None:
    """Refuse to schedule runs whose data would be on this disk only.

    Raises
    ------
    EvergreenError
        If no DVC remote is configured.
    """
    if not remote_names():
        raise EvergreenError(
            f"no DVC remote is configured: {NO_REMOTE.removeprefix('none: ')}",
            f"{ADD_REMOTE} && evergreen schedule install",
        )


def read() -> str:
    """The user's crontab; empty if there is none.

    Raises
    ------
    EvergreenError
        If there is no cron, or it refuses.
    """
    return _crontab("-l")


def write(crontab: str) -> None:
    """Replace the user's crontab.

    Raises
    ------
    EvergreenError
        If there is no cron, or it refuses.
    """
    _crontab("-" if crontab else "-r", text=crontab or None)


def _crontab(argument: str, text: str | None = None) -> str:
    """Run crontab; return its output, which is empty where the user has no crontab."""
    try:
        done = subprocess.run(
            ["crontab", argument],  # noqa: S607 - found by PATH
            input=text,
            check=False,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        raise EvergreenError(
            "the command crontab is not installed",
            "apt-get install cron; or call the scripts in scripts/ from another scheduler",
        ) from None
    if done.returncode and MISSING not in done.stderr:
        raise EvergreenError(f"crontab refused: {done.stderr.strip()}", "crontab -l")
    return "" if done.returncode else done.stdout
