"""The command line: ``evergreen --help``."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.markup import escape

from evergreen.cli import data, past, review, runs, schedule, serve
from evergreen.cli.shared import app, console
from evergreen.errors import EvergreenError, in_words

__all__ = ["app", "console", "data", "main", "past", "review", "runs", "schedule", "serve"]


def main() -> None:
    """Run a command; an error is told in words, with what to do next, and exits with 1."""
    try:
        app()
    except (EvergreenError, OSError) as error:
        told = in_words(error) if isinstance(error, OSError) else error
        Console(stderr=True, soft_wrap=True, highlight=False).print(
            f"[red]error:[/red] {escape(str(told))}"
        )
        sys.exit(1)
