"""Run commands of git and DVC."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from evergreen.errors import FREE_SPACE, EvergreenError, is_disk_full


class CommandError(EvergreenError):
    """A git or dvc command failed."""


def environment() -> dict[str, str]:
    """Environment variables for a command, with the running Python first on the path.

    A scheduled job starts without an activated environment.
    """
    programs = str(Path(sys.executable).parent)
    return os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def run(command: list[str], next_step: str, variables: dict[str, str]) -> str:
    """Run a command and return its output.

    Parameters
    ----------
    command
        The program and its arguments.
    next_step
        What to do if it fails.
    variables
        Further environment variables.

    Raises
    ------
    CommandError
        If it fails; with its own message.
    """
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env=environment() | variables
    )
    if done.returncode:
        output = "\n".join(filter(None, (done.stdout.strip(), done.stderr.strip())))
        shown = " ".join(command).replace(f"{sys.executable} -m ", "")
        raise CommandError(
            f"`{shown}` failed with exit code {done.returncode}: {output}",
            next_step_after(output, next_step),
        )
    return done.stdout


def next_step_after(output: str, otherwise: str) -> str:
    """What to do after a command failed with this output: make room, or else `otherwise`."""
    return FREE_SPACE if is_disk_full(output) else otherwise
