"""The HTTP application: predictions, the release in use, health, and an upload page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

import evergreen
from evergreen.serving.http import routes, schemas
from evergreen.serving.http.bodies import PredictionRequest
from evergreen.serving.http.guard import Guard
from evergreen.serving.http.limits import RefusedError, RequestLimits
from evergreen.serving.http.service import Service

if TYPE_CHECKING:
    from starlette.requests import Request

    from evergreen.serving.http.release_watcher import ReleaseWatcher
    from evergreen.serving.http.score_cache import ScoreCache

POLL_SECONDS = 1.0


def create_app(
    watcher: ReleaseWatcher,
    cache: ScoreCache,
    *,
    key: str | None = None,
    limits: RequestLimits = RequestLimits(),  # noqa: B008 - immutable
    poll_seconds: float = POLL_SECONDS,
) -> Guard:
    """Make the server's ASGI application.

    Parameters
    ----------
    watcher
        Holds the release in use.
    cache
        Holds the scores of the clients in the server's own data.
    key
        The key that callers must send; without one, only this machine is answered.
    poll_seconds
        The time between two checks for a new release or date.
    """
    service = Service(watcher, cache, limits)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        loops = (service.watch_release, service.refresh_cache)
        tasks = [asyncio.create_task(loop(poll_seconds)) for loop in loops]
        yield
        for task in tasks:
            task.cancel()
        service.batcher.close()

    app = FastAPI(
        title="Evergreen",
        version=evergreen.__version__,
        description="Predictions by the release in production.",
        lifespan=lifespan,
        docs_url=None,  # these pages load scripts from elsewhere
        redoc_url=None,
        exception_handlers={
            RefusedError: _refused,
            RequestValidationError: _invalid,
            HTTPException: _http_error,
            Exception: _failed,
        },
    )
    app.state.service = service
    secured = [Depends(HTTPBearer(auto_error=False))] if key is not None else []
    app.include_router(routes.open_to_all)
    app.include_router(routes.with_key, dependencies=secured)
    app.state.page = routes.make_upload_page(keyed=key is not None)
    describe = app.openapi
    app.openapi = lambda: schemas.with_body(describe(), PredictionRequest)  # type: ignore[method-assign]
    return Guard(app, watcher, service.metrics, key)


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    status = error.status if isinstance(error, RefusedError) else 500
    return JSONResponse({"detail": str(error)}, status)


async def _failed(_request: Request, _error: Exception) -> JSONResponse:
    return JSONResponse({"detail": "internal server error"}, 500)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    errors = error.errors() if isinstance(error, RequestValidationError) else []
    lines = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in errors]
    return JSONResponse({"detail": "\n".join(lines)}, 422)


async def _http_error(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    return JSONResponse({"detail": error.detail}, error.status_code, error.headers)
