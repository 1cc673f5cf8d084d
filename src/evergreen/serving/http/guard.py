"""What surrounds every request: the key, headers, a line in the log without personal data."""

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

from evergreen.serving.http.metrics import UNMATCHED

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from evergreen.serving.http.metrics import Meters
    from evergreen.serving.http.release_watcher import Watched

LOG = logging.getLogger(__name__)
OPEN = {"/", "/health", "/ready", "/openapi.json"}
"""Paths that tell nothing of clients, for probes and for people who have yet to enter the key."""
LOOPBACK_NAMES = {"localhost", "127.0.0.1", "::1"}
HEADER = "evergreen-release"
GONE = 499  # what proxies write where the caller has hung up
WITHOUT_BODY = {"GET", "HEAD", "OPTIONS"}
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Guard:
    """Lets a request through to the application, and sees to it that it is answered.

    Parameters
    ----------
    app
        Its routes; may set ``release`` in the request's state to the release that it answers from.
    watched
        Where the release in use is.
    key
        What callers have to bring. Without one the server is for this machine alone, and answers to
        its names only: a page of another site whose name was bound to this machine gets nothing.
    """

    def __init__(self, app: ASGIApp, watched: Watched, meters: Meters, key: str | None) -> None:
        self._app = app
        self._watched = watched
        self._meters = meters
        self._key = None if key is None else f"Bearer {key}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status, is_read = time.perf_counter(), GONE, False
        release = self._watched.release
        scope["state"] = scope.get("state", {}) | {"in_use": release, "release": release.version}

        async def receive_noting_the_end() -> Message:
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
                    headers["connection"] = "close"  # or the rest would be read for nothing
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            answer = self._app if (refusal := self._refusal(scope)) is None else refusal
            await answer(scope, receive_noting_the_end, send_with_headers)
        except ClientDisconnect:
            pass
        except Exception as error:  # noqa: BLE001 - told below, without what it holds of a client
            _log_failure(error)
        finally:
            self._account(scope, status, time.perf_counter() - started)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        if self._key is None:
            if _name(headers.get("host", "")) not in LOOPBACK_NAMES:
                detail = "this server has no key, so it answers to localhost only"
                return JSONResponse({"detail": detail}, 421)
        elif scope["path"] not in OPEN:
            brought = headers.get("authorization", "").encode("latin-1")
            if not hmac.compare_digest(brought, self._key):
                detail = "the header 'Authorization: Bearer KEY' is missing, or the key is wrong"
                return JSONResponse({"detail": detail}, 401, {"www-authenticate": "Bearer"})
        return None

    def _account(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", UNMATCHED)
        self._meters.answered(route, scope["method"], status, seconds)
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
    # the message and the variables may hold a client's data: where it happened is enough
    places = [
        f"{Path(at.filename).name}:{at.lineno} {at.name}" for at in extract_tb(error.__traceback__)
    ]
    LOG.error("%s at %s", type(error).__name__, " < ".join(reversed(places)))
