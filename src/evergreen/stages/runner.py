"""How a stage is run as a program: settings in, plain lines out, errors in words."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from evergreen.errors import EvergreenError, from_os_error
from evergreen.settings import paths
from evergreen.settings.loading import load_settings
from evergreen.store import files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from evergreen.settings.pipeline import Settings


def main(run: Callable[[Settings], Iterable[str]]) -> None:
    """Run a stage and print each line that it yields as soon as it comes.

    Exits with 1 and the reason in words when an `EvergreenError` is raised, or the operating
    system refuses something.
    """
    started = time.perf_counter()
    try:
        for line in run(load_settings()):
            print(f"  {line}", flush=True)  # noqa: T201 - a stage speaks to the terminal
        _note_seconds(time.perf_counter() - started)
    except EvergreenError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {from_os_error(error)}")


def _note_seconds(seconds: float) -> None:
    """Leave how long the stage took for `evergreen finish`; no output of a stage tells."""
    files.write_text(f"{seconds:.2f}", paths.SECONDS / Path(sys.argv[0]).stem)
