"""Several processes that serve on one socket."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import tempfile
import time
from contextlib import contextmanager
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING

from uvicorn.supervisors import Multiprocess

from evergreen.errors import EvergreenError, ModelError
from evergreen.serving.http.app import create_app
from evergreen.serving.http.metrics import FOLDER
from evergreen.serving.http.release_watcher import ReleaseWatcher
from evergreen.serving.http.score_cache import ScoreCache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from socket import socket

    import uvicorn

    from evergreen.serving.http.guard import Guard
    from evergreen.serving.http.limits import RequestLimits

LOG = logging.getLogger(__name__)
LOG_FORMAT = "%(asctime)s %(process)d %(levelname)s %(message)s"
RETRY_SECONDS = 5.0
MARGIN_SECONDS = 2.0
"""How much longer than its time of grace a worker may take to end, before it is killed."""


def serve_with_workers(
    configure: Callable[[Callable[[], Guard]], uvicorn.Config],
    listening: socket,
    *,
    key: str | None,
    limits: RequestLimits,
) -> None:
    """Serve with several processes until this one is stopped; a worker that dies is replaced.

    Parameters
    ----------
    configure
        Makes uvicorn's configuration for the function that makes the application in a worker.
    listening
        The socket that all of them accept connections from.

    Raises
    ------
    EvergreenError
        If the workers don't start.
    """
    config = configure(partial(make_worker_app, key=key, limits=limits))
    grace = (config.timeout_graceful_shutdown or 0) + MARGIN_SECONDS
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with tempfile.TemporaryDirectory(prefix="evergreen-metrics-") as folder:
        os.environ[FOLDER] = folder
        supervisor = Multiprocess(config, [listening])
        for number, handler in handlers.items():  # those of uvicorn wait for a worker that hangs
            signal.signal(number, handler)
        with _ended(supervisor, grace):
            supervisor.run()
    raise EvergreenError("the workers did not start, see above", "evergreen check")


def make_worker_app(*, key: str | None, limits: RequestLimits) -> Guard:
    """Make the application in a worker, once there is a valid release."""
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    Thread(target=_end_with_parent, daemon=True).start()
    return create_app(_wait_for_release(), ScoreCache(), key=key, limits=limits)


def _wait_for_release() -> ReleaseWatcher:
    """The release may be damaged when a worker is replaced, while the others serve an older one."""
    while True:
        try:
            return ReleaseWatcher()
        except ModelError as error:
            LOG.warning("a worker waits for a valid release: %s", error.message)
            time.sleep(RETRY_SECONDS)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _ended(supervisor: Multiprocess, grace_seconds: float) -> Iterator[None]:
    """End all workers after a block; kill those that take longer than they may."""
    try:
        yield
    finally:
        until = time.monotonic() + grace_seconds
        for worker in supervisor.processes:
            worker.terminate()
        for worker in supervisor.processes:
            worker.process.join(max(0.0, until - time.monotonic()))
            worker.process.kill()
