"""How a stage is run as a program: settings in, plain lines out, errors in words."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from evergreen.errors import EvergreenError
from evergreen.params import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from evergreen.params import Settings


def main(run: Callable[[Settings], Iterable[str]]) -> None:
    """Run a stage and print each line that it yields as soon as it comes.

    Exits with 1 and the reason in words when an `EvergreenError` is raised.
    """
    try:
        for line in run(load_settings()):
            print(f"  {line}", flush=True)  # noqa: T201 - a stage speaks to the terminal
    except EvergreenError as error:
        sys.exit(f"error: {error}")
