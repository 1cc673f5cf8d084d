"""The HTTP interface: predictions, the release in use, health, and a page for people."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

from evergreen.serving.http import routes, schemas
from evergreen.serving.http.bodies import Body
from evergreen.serving.http.guard import Guard
from evergreen.serving.http.limits import Limits, RefusedError
from evergreen.serving.http.service import Service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from evergreen.serving.http.release_watcher import Watched
    from evergreen.serving.http.score_cache import KnownClients

POLL_SECONDS = 1.0


def create_app(
    watched: Watched,
    known: KnownClients,
    *,
    key: str | None = None,
    limits: Limits = Limits(),  # noqa: B008 - immutable
    poll_seconds: float = POLL_SECONDS,
) -> Guard:
    """Make the server's ASGI application.

    Parameters
    ----------
    watched
        Where the release is.
    known
        The clients of the data at hand.
    key
        What callers have to bring; without one only this machine is answered.
    poll_seconds
        How long to wait before looking for another release again.
    """
    service = Service(watched, known, limits)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        looks = (service.keep_fresh, service.keep_known)
        tasks = [asyncio.create_task(keep(poll_seconds)) for keep in looks]
        yield
        for task in tasks:
            task.cancel()
        service.lanes.close()

    app = FastAPI(
        title="Evergreen",
        version=version("evergreen"),
        description="Predictions of the release in production.",
        lifespan=lifespan,
        docs_url=None,  # their scripts come from elsewhere
        redoc_url=None,
        exception_handlers={
            RefusedError: _refused,
            RequestValidationError: _invalid,
            HTTPException: _http,
            Exception: _failed,
        },
    )
    app.state.service = service
    secured = [Depends(HTTPBearer(auto_error=False))] if key is not None else []
    app.include_router(routes.open_to_all)
    app.include_router(routes.with_key, dependencies=secured)
    app.state.page = routes.page_for_people(keyed=key is not None)
    describe = app.openapi
    app.openapi = lambda: schemas.with_body(describe(), Body)  # type: ignore[method-assign]
    return Guard(app, watched, service.meters, key)


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    status = error.status if isinstance(error, RefusedError) else 500
    return JSONResponse({"detail": str(error)}, status)


async def _failed(_request: Request, _error: Exception) -> JSONResponse:
    return JSONResponse({"detail": "something went wrong in the server"}, 500)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    lines = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found]
    return JSONResponse({"detail": "\n".join(lines)}, 422)


async def _http(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    return JSONResponse({"detail": error.detail}, error.status_code, error.headers)
