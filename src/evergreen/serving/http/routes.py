"""The routes: two that predict, and those that tell of the server."""

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
from evergreen.serving.http.bodies import Body
from evergreen.serving.http.limits import RefusedError
from evergreen.serving.http.predict import Question
from evergreen.serving.http.service import (
    CSV,
    FORM,
    JSON,
    Service,
)
from evergreen.settings.dates import parse_date

if TYPE_CHECKING:
    from evergreen.serving.http.predict import Answer
    from evergreen.serving.release import ServedRelease

NOTICES = "evergreen-notices"
"""The header that holds the notices of an answer, which a CSV file has no place for."""
AT_ONCE = 1000
"""Rows of an answer that are written out without leaving the event loop."""

open_to_all = APIRouter()
with_key = APIRouter()


AsOf = Annotated[
    date,
    BeforeValidator(parse_date),
    Query(description="The day to look from, such as 2017-04-01."),
]
Targets = Annotated[
    list[str] | None, Query(description="What to predict, as often as needed; all by default.")
]


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": schemas.Problem, "description": described}
    for status, described in {
        401: "The key is missing or wrong.",
        421: "A server without a key answers to this machine only.",
    }.items()
}
PREDICT_PROBLEMS = PROBLEMS | {
    status: {"model": schemas.Problem, "description": described}
    for status, described in {
        400: "The request is no HTTP that can be read.",
        408: "The body did not come in time.",
        409: "Clients by their ids alone can't be looked up.",
        413: "The body is too large.",
        415: "The body is of another type.",
        422: "The body, as_of or targets are not as described; detail says why.",
        503: "It would take too long.",
    }.items()
}
BODIES = {
    JSON: {"schema": {"$ref": f"#/components/schemas/{Body.__name__}"}},
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

    JSON is answered in JSON, CSV in CSV; the header Accept asks for the other one.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in BODIES:
        found = kind or "no content-type"
        raise RefusedError(415, f"a body of {', '.join(BODIES)} is expected, found {found}")
    question = Question(request.state.in_use, as_of, _named(request.state.in_use, targets))
    answer = await _service(request).answer(request, kind, question)
    _account(request, answer)
    accepted = request.headers.get("accept", "")
    as_csv = CSV in accepted if kind == JSON else JSON not in accepted
    write = answer.as_csv if as_csv else answer.as_json
    content = write() if len(answer.clients) <= AT_ONCE else await asyncio.to_thread(write)
    headers = {NOTICES: "; ".join(answer.notices)} if answer.notices else {}
    if as_csv:
        headers["content-disposition"] = f'attachment; filename="predictions-{as_of}.csv"'
    return Response(content, media_type=CSV if as_csv else JSON, headers=headers)


@with_key.get(
    "/clients/{client_id}",
    response_model=schemas.Predictions,
    responses=PROBLEMS
    | {
        404: {"model": schemas.Problem, "description": "Nothing is known of this client."},
        409: {"model": schemas.Problem, "description": "There are no scores of data at hand."},
    },
)
async def client(request: Request, client_id: str) -> Response:
    """Predict a client of the data at hand, as of the day that they are of."""
    known, problem = _service(request).known.current, _service(request).known.problem
    if known is None:
        raise RefusedError(
            409, f"there are no scores of data at hand: {problem or 'they are being made'}"
        )
    if known.place(client_id) is None:
        raise RefusedError(404, f"nothing is known of this client before {known.as_of}")
    answer = known.answer([client_id], None)
    _account(request, answer)
    return Response(answer.as_json(), media_type=JSON)


def _account(request: Request, answer: Answer) -> None:
    """Name the release that has answered, in the header and in the metrics."""
    request.state.release = answer.release.version
    _service(request).meters.predicted(answer.release.version, len(answer.clients))


@open_to_all.get("/health")
async def health() -> schemas.Health:
    """Whether the process answers."""
    return schemas.Health(status="ok")


@open_to_all.get("/ready")
async def ready(request: Request) -> schemas.Ready:
    """Which release serves, whether another one was refused and why, and who is known."""
    service = _service(request)
    return schemas.Ready.of(
        request.state.in_use, service.watched.refused, service.known.current, service.known.problem
    )


@with_key.get("/release", responses=PROBLEMS)
async def release(request: Request) -> schemas.ReleaseInfo:
    """The release in use: its models, and the columns that each of them sees."""
    return schemas.ReleaseInfo.of(request.state.in_use)


@with_key.get(
    "/metrics",
    response_class=Response,
    responses=PROBLEMS | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request) -> Response:
    """Counters for Prometheus."""
    service = _service(request)
    refused = service.watched.refused is not None
    written = service.meters.written(request.state.in_use.version, refused=refused)
    return Response(written, media_type="text/plain; version=0.0.4; charset=utf-8")


@open_to_all.get("/", include_in_schema=False)
async def people(request: Request) -> HTMLResponse:
    """A page to upload a CSV file."""
    answer: HTMLResponse = request.app.state.page
    return answer


def page_for_people(*, keyed: bool) -> HTMLResponse:
    """The page, which may run its own script and call this server, and nothing else."""
    text = page("serve.html.jinja", title="Predictions of clients", keyed=keyed)
    policy = (
        f"default-src 'none'; script-src '{_hash(text, 'script')}'; style-src "
        f"'{_hash(text, 'style')}'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return HTMLResponse(text, headers={"content-security-policy": policy})


def _hash(text: str, tag: str) -> str:
    content = text.split(f"<{tag}>")[1].split(f"</{tag}>", maxsplit=1)[0]
    return "sha256-" + b64encode(sha256(content.encode()).digest()).decode()


def _named(release: ServedRelease, targets: list[str] | None) -> tuple[str, ...] | None:
    for target in targets or ():
        if target not in release.kinds:
            known = ", ".join(release.kinds)
            raise RefusedError(422, f"there is no target {target!r}; {release.version} has {known}")
    return tuple(dict.fromkeys(targets)) if targets else None
