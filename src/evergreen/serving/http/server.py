"""Run the server on an address, with a key, until it is stopped."""

from __future__ import annotations

import ipaddress
import os
import resource
from typing import TYPE_CHECKING, Any, cast

import uvicorn

from evergreen.errors import EvergreenError
from evergreen.serving.http.app import create_app
from evergreen.serving.http.connections import MAX_CONNECTIONS, Connections
from evergreen.serving.http.release_watcher import ReleaseWatcher
from evergreen.serving.http.score_cache import ScoreCache

if TYPE_CHECKING:
    import asyncio

    from evergreen.serving.http.limits import RequestLimits

KEY = "EVERGREEN_API_KEY"
GRACE_SECONDS = 10
BACKLOG = 512
"""Connections that are accepted at once."""
OTHER_FILES = 256
"""Files that may be open beside those of connections."""


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
    config = make_config(app, Connections(at_most=allow_connections()), host=host, port=port)
    uvicorn.Server(config).run()


def make_config(
    app: Any,  # noqa: ANN401 - any ASGI application
    connections: Connections,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
) -> uvicorn.Config:
    """The configuration of uvicorn; with port 0, the system chooses one."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=cast("type[asyncio.Protocol]", connections),  # is called as a class would be
        ws="none",
        backlog=BACKLOG,
        log_config=None,  # the command configures logging
        access_log=False,  # it would log the ids of clients
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def allow_connections() -> int:
    """Let this process open enough files, as far as it may.

    Returns
    -------
    int
        How many of them may be connections; the others are for accepting more, and for models.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + BACKLOG + OTHER_FILES
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return MAX_CONNECTIONS if soft >= wanted else max(soft - BACKLOG - OTHER_FILES, soft // 4)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
