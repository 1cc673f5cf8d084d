"""Run a stage as a program: read the settings, print lines, report errors."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from evergreen.errors import EvergreenError, from_os_error
from evergreen.settings import paths
from evergreen.settings.loading import load_settings
from evergreen.settings.pipeline import Settings
from evergreen.store import files


def main(run: Callable[[Settings], Iterable[str]]) -> None:
    """Run a stage and print each line that it yields.

    Exits with 1 and a message after an `EvergreenError` or an error of the operating system.
    """
    started = time.perf_counter()
    try:
        for line in run(load_settings()):
            print(f"  {line}", flush=True)  # noqa: T201 - a stage prints to the terminal
        # For `evergreen finish`; no output of a stage contains its duration.
        seconds = f"{time.perf_counter() - started:.2f}"
        files.write_text(seconds, paths.SECONDS / Path(sys.argv[0]).stem)
    except EvergreenError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {from_os_error(error)}")
