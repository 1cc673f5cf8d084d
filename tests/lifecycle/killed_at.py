"""Run an evergreen command and kill it, with all its children, at a named point.

``python killed_at.py POINT cycle --as-of ...``: POINT is part of a line that the command prints, or
of a call that it is about to make, such as ``replace releases/`` or `` git commit ``.
"""

import os
import shutil
import signal
import sys
from pathlib import Path

from dvc.data_cloud import DataCloud

from evergreen.store import files
from evergreen.vcs import processes

POINT = sys.argv.pop(1)


def kill_before(owner, name):
    original = getattr(owner, name)

    def call(*args, **options):
        words = [word for arg in args for word in (arg if isinstance(arg, list) else [arg])]
        if POINT in " ".join([name, *map(str, words)]):
            os.killpg(0, signal.SIGKILL)
        return original(*args, **options)

    setattr(owner, name, call)


for owner, name in (
    (os, "replace"),
    (Path, "replace"),
    (Path, "write_text"),
    (shutil, "copytree"),
    (shutil, "rmtree"),
    (processes, "started"),
    (files, "_exchange"),
    (DataCloud, "push"),
):
    kill_before(owner, name)

from evergreen.cli import commands, main  # noqa: E402 - modules take what is replaced above

kill_before(commands.console, "print")
main()
