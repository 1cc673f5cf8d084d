"""Run commands of git and DVC."""

from __future__ import annotations

import os
import re
import sys
from contextlib import nullcontext
from pathlib import Path
from subprocess import PIPE

from evergreen.errors import FREE_SPACE, is_disk_full
from evergreen.vcs import run_log
from evergreen.vcs.processes import started
from evergreen.vcs.run_log import CommandError, KilledError

LOCK_EXISTS = re.compile(r"'([^']+\.lock)': File exists")
HELPER_KILLED = re.compile(r"^error: .* died of signal \d+$", re.MULTILINE)
"""How git says that a process which it had started was killed, before it fails itself."""

__all__ = ["CommandError", "environment", "next_step_after", "run"]


def environment() -> dict[str, str]:
    """Environment variables for a command, with the running Python first on the path.

    A scheduled job starts without an activated environment.
    """
    programs = str(Path(sys.executable).parent)
    return os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def run(
    command: list[str], next_step: str, variables: dict[str, str], *, writes: bool = True
) -> str:
    """Run a command and return its output.

    Parameters
    ----------
    command
        The program and its arguments.
    next_step
        What to do if it fails.
    variables
        Further environment variables.
    writes
        Whether it may leave something behind if it is killed.

    Raises
    ------
    CommandError
        If it fails; with its own message.
    """
    with run_log.child(command) if writes else nullcontext(command) as words:
        with started(words, stdout=PIPE, stderr=PIPE, env=environment() | variables) as process:
            stdout, stderr = process.communicate()
        if process.returncode:
            output = "\n".join(filter(None, (stdout.strip(), stderr.strip())))
            shown = " ".join(command).replace(f"{sys.executable} -m ", "")
            was_killed = process.returncode < 0 or HELPER_KILLED.search(stderr)
            kind = KilledError if was_killed else CommandError
            raise kind(
                f"`{shown}` failed with exit code {process.returncode}: {output}",
                next_step_after(output, next_step),
            )
    return str(stdout)


def next_step_after(output: str, otherwise: str) -> str:
    """What to do after a command failed with this output; `otherwise` if nothing better is known.

    A lock of git that is not known to be left by a killed command of ours is named, and stays.
    """
    if lock := LOCK_EXISTS.search(output):
        return (
            "wait until no other git command is at work here; if none is, one was killed: "
            f"rm -f {lock[1]}, then the same command again"
        )
    return FREE_SPACE if is_disk_full(output) else otherwise
