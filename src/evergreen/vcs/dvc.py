"""DVC's command line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from subprocess import PIPE, STDOUT

from evergreen.store import progress
from evergreen.vcs import dvc_internals, run_log
from evergreen.vcs.commands import CommandError, environment, next_step_after, run
from evergreen.vcs.processes import started
from evergreen.vcs.run_log import KilledError

LAST_LINES = 8
"""Lines of output shown when `dvc repro` fails."""


def dvc(*arguments: str) -> str:
    """Run the environment's dvc; return its output.

    Without ``--quiet``, which silences errors as well: what it prints is shown only if it fails.

    Raises
    ------
    CommandError
        With dvc's own message.
    """
    return run([sys.executable, "-m", "dvc", *arguments], "dvc doctor", {})


def outdated() -> list[str]:
    """Stages and pinned inputs that `dvc repro` would run or `dvc add` would change."""
    return dvc_internals.parse_status(dvc("status", "--json"))


def reproduce(tell: Callable[[str], None] = lambda _stage: None) -> Iterator[str]:
    """Run `dvc repro`.

    Parameters
    ----------
    tell
        Called with the name of each stage that starts, and with how far it is.

    Yields
    ------
    str
        The messages of the stages.

    Raises
    ------
    CommandError
        If a stage fails; with the last lines of the output.
    """
    output, stage = [], ""
    variables = environment() | {progress.VARIABLE: "lines"}
    with run_log.child([sys.executable, "-m", "dvc", "repro"]) as command:
        with started(command, stdout=PIPE, stderr=STDOUT, env=variables) as process:
            for line in process.stdout or ():
                if line.startswith(progress.MARK):
                    tell(f"{stage}: {line.removeprefix(progress.MARK).strip()}")
                    continue
                output.append(line.rstrip())
                if line.startswith("  "):  # as the stages print
                    yield line.strip()
                elif name := dvc_internals.started_stage(line):
                    stage = name
                    tell(stage)
        if process.returncode:
            kind = KilledError if process.returncode < 0 else CommandError
            raise kind(
                "`dvc repro` failed; its last lines:\n  " + "\n  ".join(output[-LAST_LINES:]),
                next_step_after(
                    "\n".join(output), "fix the cause, then run the same command again"
                ),
            )
