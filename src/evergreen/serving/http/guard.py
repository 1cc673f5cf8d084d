"""Around every request: the key, headers, and a log line without personal data."""

from __future__ import annotations

import hmac
import logging
import time
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from evergreen.serving.http.metrics import UNMATCHED, ServerMetrics

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from evergreen.serving.http.release_watcher import ReleaseWatcher

LOG = logging.getLogger(__name__)
OPEN = {"/", "/health", "/ready", "/openapi.json"}
"""Paths without client data, for probes and for people who have not entered the key yet."""
LOOPBACK_NAMES = {"localhost", "127.0.0.1", "::1"}
HEADER = "evergreen-release"
DISCONNECTED = 499  # what proxies log when the caller has hung up
WITHOUT_BODY = {"GET", "HEAD", "OPTIONS"}
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Guard:
    """Checks each request, passes it to the application, and makes sure it is answered.

    Parameters
    ----------
    app
        The routes. They may set ``release`` in the request's state to the release they used.
    watcher
        Holds the release in use.
    metrics
        Counts the requests.
    key
        The key that callers must send. Without one, the server is for this machine only and answers
        to its names only, which defeats DNS rebinding.
    """

    def __init__(
        self, app: ASGIApp, watcher: ReleaseWatcher, metrics: ServerMetrics, key: str | None
    ) -> None:
        self._app = app
        self._watcher = watcher
        self._metrics = metrics
        self._key = None if key is None else f"Bearer {key}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status, is_read = time.perf_counter(), DISCONNECTED, False
        release = self._watcher.release
        scope["state"] = scope.get("state", {}) | {"in_use": release, "release": release.version}

        async def receive_until_end() -> Message:
            nonlocal is_read
            message = await receive()
            is_read = is_read or not message.get("more_body", False)
            return message

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[HEADER] = scope["state"]["release"]
                if not is_read and scope["method"] not in WITHOUT_BODY:
                    headers["connection"] = "close"  # or the rest would be read in vain
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            respond = self._refusal(scope) or self._app
            await respond(scope, receive_until_end, send_with_headers)
        except ClientDisconnect:
            pass
        except Exception as error:  # noqa: BLE001 - logged without its message
            _log_failure(error)
        finally:
            self._record(scope, status, time.perf_counter() - start)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        if self._key is None:
            if _name(headers.get("host", "")) not in LOOPBACK_NAMES:
                detail = "this server has no key, so it answers requests to localhost only"
                return JSONResponse({"detail": detail}, 421)
        elif scope["path"] not in OPEN:
            authorization = headers.get("authorization", "").encode("latin-1")
            if not hmac.compare_digest(authorization, self._key):
                detail = "the header 'Authorization: Bearer KEY' is missing, or the key is wrong"
                return JSONResponse({"detail": detail}, 401, {"www-authenticate": "Bearer"})
        return None

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", UNMATCHED)
        self._metrics.count_request(route, scope["method"], status, seconds)
        LOG.info(
            "%s %s %d %.1f ms %s",
            scope["method"] if route != UNMATCHED else "-",
            route,
            status,
            1000 * seconds,
            scope["state"]["release"],
        )


def _name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _log_failure(error: Exception) -> None:
    # the message may contain personal data: the place is enough
    places = [
        f"{Path(at.filename).name}:{at.lineno} {at.name}" for at in extract_tb(error.__traceback__)
    ]
    LOG.error("%s at %s", type(error).__name__, " < ".join(reversed(places)))
