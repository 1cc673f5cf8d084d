"""Run the server on an address, with a key, until it is stopped."""

from __future__ import annotations

import ipaddress
import logging
import os
import resource
import socket
from functools import partial
from threading import Timer
from typing import TYPE_CHECKING, Any, cast

import uvicorn

from evergreen.errors import EvergreenError
from evergreen.serving.http.app import create_app
from evergreen.serving.http.connections import MAX_CONNECTIONS, Connections
from evergreen.serving.http.release_watcher import ReleaseWatcher
from evergreen.serving.http.score_cache import ScoreCache
from evergreen.serving.http.workers import MARGIN_SECONDS, serve_with_workers

if TYPE_CHECKING:
    import asyncio
    from types import FrameType

    from evergreen.serving.http.limits import RequestLimits

LOG = logging.getLogger(__name__)
KEY = "EVERGREEN_API_KEY"
GRACE_SECONDS = 10
HANGING_SECONDS = 60
"""After this time without a sign of life, a worker is replaced."""
BACKLOG = 512
"""Connections that are accepted at once."""
OTHER_FILES = 256
"""Files that may be open beside those of connections."""


def serve(host: str, port: int, limits: RequestLimits, workers: int = 1) -> None:
    """Serve the published release until the process is stopped.

    Parameters
    ----------
    workers
        The number of processes; with more than one, this process only watches over them.

    Raises
    ------
    EvergreenError
        If other machines could reach a server without a key, the address can't be used, or no valid
        release is published.
    """
    key = os.environ.get(KEY) or None
    if key is None and not is_loopback(host):
        raise EvergreenError(
            f"other machines can reach {host}, so {KEY} must hold a key, and it is not set",
            f"export {KEY}=$(openssl rand -hex 32), or use --host 127.0.0.1",
        )
    connections = Connections(at_most=allow_connections())
    watcher = ReleaseWatcher()
    listening = listen(host, port)
    LOG.info("serving release %s on http://%s:%d", watcher.release.version, host, port)
    if workers == 1:
        app = create_app(watcher, ScoreCache(), key=key, limits=limits)
        Server(make_config(app, connections)).run([listening])
    else:
        configure = partial(make_config, connections=connections, workers=workers)
        serve_with_workers(configure, listening, key=key, limits=limits)


class Server(uvicorn.Server):
    """uvicorn's server, which ends in time: a thread that still predicts would hold up the end."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end."""
        late = Timer(GRACE_SECONDS + MARGIN_SECONDS, os._exit, [128 + sig])
        late.daemon = True
        late.start()
        super().handle_exit(sig, frame)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on an address.

    Raises
    ------
    EvergreenError
        If the address can't be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise EvergreenError(
            f"can't listen on {host}, port {port}: {error.strerror}",
            f"evergreen serve --port {port + 1}, or another --host",
        ) from None
    # Connections inherit it; otherwise the body of a response waits until its head is acknowledged.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def make_config(app: Any, connections: Connections, workers: int = 1) -> uvicorn.Config:  # noqa: ANN401
    """The configuration of uvicorn.

    Parameters
    ----------
    app
        The ASGI application; with several workers, a function that makes it in each of them.
    """
    return uvicorn.Config(
        app,
        factory=workers > 1,
        workers=workers,
        http=cast("type[asyncio.Protocol]", connections),  # is called as a class would be
        ws="none",
        backlog=BACKLOG,
        log_config=None,  # the command configures logging
        access_log=False,  # it would log the ids of clients
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_worker_healthcheck=HANGING_SECONDS,
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
