"""The routes: two that predict, and those that describe the server."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from datetime import date
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BeforeValidator

from evergreen.plots.pages import page
from evergreen.serving.http import schemas
from evergreen.serving.http.bodies import PredictionRequest
from evergreen.serving.http.limits import RefusedError
from evergreen.serving.http.predict import PredictionQuery, PredictionResult
from evergreen.serving.http.service import (
    CSV,
    FORM,
    JSON,
    Service,
)
from evergreen.settings.dates import parse_date

if TYPE_CHECKING:
    from evergreen.serving.release import ServedRelease

NOTICES = "evergreen-notices"
"""The header with the notices of a result: a CSV file has no place for them."""
MAX_INLINE_ROWS = 1000
"""Results with more rows are written in a thread, so that the event loop is not blocked."""

open_to_all = APIRouter()
with_key = APIRouter()


AsOf = Annotated[
    date,
    BeforeValidator(parse_date),
    Query(description="Use only what was known before this date, such as 2017-04-01."),
]
Targets = Annotated[
    list[str] | None,
    Query(description="What to predict; repeat the parameter for several. By default all targets."),
]


def _problems(descriptions: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    return {
        status: {"model": schemas.Problem, "description": description}
        for status, description in descriptions.items()
    }


PROBLEMS = _problems(
    {
        401: "The key is missing or wrong.",
        421: "The server has no key, so it answers this machine only.",
    }
)
PREDICT_PROBLEMS = PROBLEMS | _problems(
    {
        400: "The request is not valid HTTP.",
        408: "The body did not arrive in time.",
        409: "Clients given by id alone can't be looked up.",
        413: "The body is too large.",
        415: "The media type of the body is not supported.",
        422: "The body, as_of or targets are invalid; detail gives the reason.",
        503: "Too many requests are being answered, or the prediction would take too long.",
    }
)
BODIES = {
    JSON: {"schema": {"$ref": f"#/components/schemas/{PredictionRequest.__name__}"}},
    CSV: {"schema": {"type": "string"}},
    FORM: {
        "schema": {
            "type": "object",
            "properties": {"file": {"type": "string", "format": "binary"}},
            "required": ["file"],
        }
    },
}


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


@with_key.post(
    "/predict",
    response_model=schemas.Predictions,
    responses=PREDICT_PROBLEMS | {200: {"content": {CSV: {"schema": {"type": "string"}}}}},
    openapi_extra={"requestBody": {"content": BODIES, "required": True}},
)
async def predict(request: Request, as_of: AsOf, targets: Targets = None) -> Response:
    """Predict clients from their transactions and notes, from feature rows, or by their ids.

    The response to JSON is JSON, to CSV is CSV, unless the Accept header asks for the other.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in BODIES:
        raise RefusedError(
            415,
            f"the body must be {', '.join(BODIES)}, found {media_type or 'no content-type'}",
        )
    release = request.state.in_use
    query = PredictionQuery(release, as_of, _checked_targets(release, targets))
    result = await _service(request).predict(request, media_type, query)
    _record(request, result)
    accepted = request.headers.get("accept", "")
    as_csv = CSV in accepted if media_type == JSON else JSON not in accepted
    write = result.as_csv if as_csv else result.as_json
    inline = len(result.clients) <= MAX_INLINE_ROWS
    content = write() if inline else await asyncio.to_thread(write)
    headers = {NOTICES: "; ".join(result.notices)} if result.notices else {}
    if as_csv:
        headers["content-disposition"] = f'attachment; filename="predictions-{as_of}.csv"'
    return Response(content, media_type=CSV if as_csv else JSON, headers=headers)


@with_key.get(
    "/clients/{client_id}",
    response_model=schemas.Predictions,
    responses=PROBLEMS
    | _problems({404: "The client is unknown.", 409: "The server has no scores of its own data."}),
)
async def client(request: Request, client_id: str) -> Response:
    """Predict a client in the server's own data, as of the date of that data."""
    cache = _service(request).cache
    scores = cache.current
    if scores is None:
        raise RefusedError(
            409,
            "this server has no scores of its own data: "
            f"{cache.problem or 'they are being computed'}",
        )
    if scores.place(client_id) is None:
        raise RefusedError(404, f"this client is unknown as of {scores.as_of}")
    result = scores.predict([client_id], None)
    _record(request, result)
    return Response(result.as_json(), media_type=JSON)


def _record(request: Request, result: PredictionResult) -> None:
    """Name the release of a result in the header, and count its rows in the metrics."""
    request.state.release = result.release.version
    _service(request).metrics.count_rows(result.release.version, len(result.clients))


@open_to_all.get("/health")
async def health() -> schemas.Health:
    """Report that the process is alive."""
    return schemas.Health(status="ok")


@open_to_all.get("/ready")
async def ready(request: Request) -> schemas.Ready:
    """Report the release in use, whether a newer one was refused and why, and the cached scores."""
    service = _service(request)
    cache = service.cache
    return schemas.Ready.of(
        request.state.in_use, service.watcher.refused, cache.current, cache.problem
    )


@with_key.get("/release", responses=PROBLEMS)
async def release(request: Request) -> schemas.ReleaseInfo:
    """Describe the release in use: its models, and the columns of each."""
    return schemas.ReleaseInfo.of(request.state.in_use)


@with_key.get(
    "/metrics",
    response_class=Response,
    responses=PROBLEMS | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request) -> Response:
    """Report metrics in Prometheus' format."""
    service = _service(request)
    service.report_release()
    return Response(
        service.metrics.as_text(), media_type="text/plain; version=0.0.4; charset=utf-8"
    )


@open_to_all.get("/", include_in_schema=False)
async def upload_page(request: Request) -> HTMLResponse:
    """Show a page to upload a CSV file."""
    response: HTMLResponse = request.app.state.page
    return response


def make_upload_page(*, keyed: bool) -> HTMLResponse:
    """The page, which may run its own script and call this server, and nothing else."""
    text = page("serve.html.jinja", title="Client predictions", keyed=keyed)
    policy = (
        f"default-src 'none'; script-src '{_hash(text, 'script')}'; style-src "
        f"'{_hash(text, 'style')}'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return HTMLResponse(text, headers={"content-security-policy": policy})


def _hash(text: str, tag: str) -> str:
    content = text.split(f"<{tag}>")[1].split(f"</{tag}>", maxsplit=1)[0]
    return "sha256-" + b64encode(sha256(content.encode()).digest()).decode()


def _checked_targets(release: ServedRelease, targets: list[str] | None) -> tuple[str, ...] | None:
    try:
        release.check_targets(targets)
    except ValueError as error:
        raise RefusedError(422, str(error)) from None
    return tuple(dict.fromkeys(targets)) if targets else None
