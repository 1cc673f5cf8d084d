"""The command line: ``evergreen --help``."""

from __future__ import annotations

import sys

from evergreen.cli import stopping


def main() -> None:
    """Run the command line; a signal ends it with 128 and its number, from the first moment on."""
    stopping.handle_signals()
    try:
        from evergreen.cli.commands import run  # noqa: PLC0415 - takes half a second

        run()
    except (Exception, stopping.Stopped) as error:
        stopped = stopping.cause(error)
        if stopped is None:
            raise
        print(stopped, file=sys.stderr)  # noqa: T201 - the consoles may not be there yet
        raise SystemExit(stopped.code) from None
