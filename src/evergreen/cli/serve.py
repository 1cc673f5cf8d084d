"""The command that serves predictions over HTTP."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import Annotated

import typer

from evergreen.cli.app import app
from evergreen.errors import EvergreenError

NEEDED = ("fastapi", "uvicorn", "python_multipart", "prometheus_client")


@app.command()
def serve(
    host: Annotated[
        str, typer.Option(help="The address; one that others reach needs EVERGREEN_API_KEY.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port.")] = 8000,
    max_mib: Annotated[int, typer.Option(min=1, max=1024, help="The largest upload.")] = 32,
    max_rows: Annotated[int, typer.Option(min=1, help="The most rows of a request.")] = 500_000,
    max_seconds: Annotated[
        int, typer.Option(min=1, max=3600, help="The longest that a request may take.")
    ] = 60,
) -> None:
    """Serve the published release over HTTP, with a page for people at /."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise EvergreenError(
            f"serving needs {', '.join(missing)}", "pip install 'evergreen[serve]'"
        )
    from evergreen.serving.http.limits import Limits  # noqa: PLC0415 - each command loads its own
    from evergreen.serving.http.server import serve as serve_until_stopped  # noqa: PLC0415

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    serve_until_stopped(host, port, Limits(max_mib, max_rows, max_seconds))
