"""git and dvc, as a person would call them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from evergreen.errors import FULL_WORDS, ROOM, EvergreenError


class CommandError(EvergreenError):
    """A command of git or dvc did not do what it was asked for."""


def environment() -> dict[str, str]:
    """The variables for a command: the stages' ``python`` is the one that runs this.

    A scheduled job starts without an activated environment.
    """
    here = str(Path(sys.executable).parent)
    return os.environ | {"PATH": f"{here}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def git(*arguments: str, **variables: str) -> str:
    """Run git, with further environment variables; return what it printed.

    A look at something writes nothing, not even what git has found out about the files: a disk may
    be full.

    Raises
    ------
    CommandError
        With git's own words.
    """
    return _run(["git", *arguments], "git status", {"GIT_OPTIONAL_LOCKS": "0"} | variables)


def dvc(*arguments: str) -> str:
    """Run the environment's dvc; return what it printed.

    Raises
    ------
    CommandError
        With dvc's own words.
    """
    return _run([sys.executable, "-m", "dvc", *arguments], "dvc doctor", {})


def upstream_branch() -> str | None:
    """What the branch that is checked out follows, such as ``origin/main``; None for nothing."""
    try:
        return git("rev-parse", "--abbrev-ref", "--symbolic-full-name", "@{upstream}").strip()
    except CommandError:
        return None


def remote_name() -> str | None:
    """The git remote that is pushed to; None without an upstream."""
    found = upstream_branch()
    return None if found is None else found.partition("/")[0]


def _run(command: list[str], next_step: str, variables: dict[str, str]) -> str:
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env=environment() | variables
    )
    if done.returncode:
        said = "\n".join(filter(None, (done.stdout.strip(), done.stderr.strip())))
        words = " ".join(command).replace(f"{sys.executable} -m ", "")
        raise CommandError(
            f"`{words}` ended with {done.returncode}: {said}", next_step_after(said, next_step)
        )
    return done.stdout


def next_step_after(said: str, otherwise: str) -> str:
    """What to do about a command that has failed with these words."""
    full = any(words in said.lower() for words in FULL_WORDS)
    return ROOM if full else otherwise
