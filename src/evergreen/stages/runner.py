"""Run a stage as a program: read the settings, print lines, report errors."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from evergreen.errors import explained
from evergreen.settings import paths
from evergreen.settings.loading import parse_settings, read_values
from evergreen.settings.pipeline import Settings
from evergreen.store import files
from evergreen.store.machine import remark
from evergreen.store.used_parameters import used_parameters, write_used


def main(run: Callable[[Settings], Iterable[str]]) -> None:
    """Run a stage and print each line that it yields; write the parameters that it has used.

    Exits with 1 and a message after an error that `explained` knows, or if the parameters of the
    stage were edited meanwhile.
    """
    started = time.perf_counter()
    stage = Path(sys.argv[0]).stem
    try:
        values = read_values()
        settings, used = parse_settings(values), used_parameters(stage, values)
        for line in _with_remark(run(settings)):
            print(f"  {line}", flush=True)  # noqa: T201 - a stage prints to the terminal
        write_used(stage, used)
        # For `evergreen finish`; no output of a stage contains its duration.
        seconds = f"{time.perf_counter() - started:.2f}"
        files.write_text(seconds, paths.SECONDS / stage)
    except Exception as error:
        message = explained(error)
        if message is None:
            raise
        sys.exit(f"error: {message}")


def _with_remark(lines: Iterable[str]) -> Iterator[str]:
    """Add a line where this process has used other arithmetic than `choose_kernels` asks for."""
    yield from lines
    if line := remark():  # only now are all libraries loaded
        yield line
