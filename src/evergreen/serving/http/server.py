"""Run the server on an address, with a key, until it is stopped."""

from __future__ import annotations

import ipaddress
import os
from typing import TYPE_CHECKING

import uvicorn

from evergreen.errors import EvergreenError
from evergreen.serving.http.app import create_app
from evergreen.serving.http.release_watcher import ReleaseWatcher
from evergreen.serving.http.score_cache import ScoreCache

if TYPE_CHECKING:
    from evergreen.serving.http.limits import RequestLimits

KEY = "EVERGREEN_API_KEY"
MAX_REQUESTS = 200
"""Requests at a time; any more get 503 at once."""
GRACE_SECONDS = 10


def serve(host: str, port: int, limits: RequestLimits) -> None:
    """Serve the published release until the process is stopped.

    Raises
    ------
    EvergreenError
        If other machines could reach a server without a key, or no valid release is published.
    """
    key = os.environ.get(KEY) or None
    if key is None and not is_loopback(host):
        raise EvergreenError(
            f"other machines can reach {host}, so {KEY} must hold a key, and it is not set",
            f"export {KEY}=$(openssl rand -hex 32), or use --host 127.0.0.1",
        )
    app = create_app(ReleaseWatcher(), ScoreCache(), key=key, limits=limits)
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_config=None,  # the command configures logging
        access_log=False,  # it would log the ids of clients
        server_header=False,
        limit_concurrency=MAX_REQUESTS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
