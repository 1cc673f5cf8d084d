"""Serve until stopped: on which address, with which key."""

from __future__ import annotations

import ipaddress
import os
from typing import TYPE_CHECKING

import uvicorn

from evergreen.errors import EvergreenError
from evergreen.serving.http.app import create_app
from evergreen.serving.http.release_watcher import Watched
from evergreen.serving.http.score_cache import KnownClients

if TYPE_CHECKING:
    from evergreen.serving.http.limits import Limits

KEY = "EVERGREEN_API_KEY"
AT_MOST = 200
"""Requests at a time; more are told 503 at once."""
GRACE_SECONDS = 10


def serve(host: str, port: int, limits: Limits) -> None:
    """Serve the published release until the process is told to stop.

    Raises
    ------
    EvergreenError
        If others than this machine could reach a server without a key, or nothing sound is
        published.
    """
    key = os.environ.get(KEY) or None
    if key is None and not is_loopback(host):
        raise EvergreenError(
            f"{host} is reached from elsewhere, so a key is expected in {KEY}, found none",
            f"export {KEY}=$(openssl rand -hex 32), or --host 127.0.0.1",
        )
    app = create_app(Watched(), KnownClients(), key=key, limits=limits)
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_config=None,  # the command has set up logging
        access_log=False,  # it would write down the ids of clients
        server_header=False,
        limit_concurrency=AT_MOST,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
