"""What the routes stand on: the release, the clients at hand, and how a body is answered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from evergreen.serving.events import are_events, client_ids
from evergreen.serving.http.batching import Lanes
from evergreen.serving.http.bodies import (
    Body,
    events_of,
    features_of,
    read_json,
)
from evergreen.serving.http.limits import Limits, RefusedError
from evergreen.serving.http.metrics import Meters
from evergreen.serving.http.predict import (
    Answer,
    Question,
    explained,
    predict_events,
    predict_features,
    predict_few,
    predict_together,
)
from evergreen.serving.http.request_body import SMALL, Reader, uploaded
from evergreen.serving.http.score_cache import look_up
from evergreen.serving.http.uploads import read_csv

if TYPE_CHECKING:
    from starlette.requests import Request

    from evergreen.serving.events_database import Databases
    from evergreen.serving.http.release_watcher import Watched
    from evergreen.serving.http.score_cache import KnownClients

JSON, CSV, FORM = "application/json", "text/csv", "multipart/form-data"


class Service:
    """What the routes share: the release, the clients at hand, and the ways to work."""

    def __init__(self, watched: Watched, known: KnownClients, limits: Limits) -> None:
        self.watched = watched
        self.known = known
        self.limits = limits
        self.meters = Meters()
        self.lanes = Lanes()
        self.reader = Reader(limits)

    async def keep_fresh(self, every_seconds: float) -> None:
        """Look for another release, and for another day, again and again."""
        while True:
            await asyncio.to_thread(self.watched.look)
            await asyncio.sleep(every_seconds)

    async def keep_known(self, every_seconds: float) -> None:
        """Score the clients at hand again when there is a reason to."""
        while True:
            await asyncio.to_thread(self.known.look, self.watched.release)
            await asyncio.sleep(every_seconds)

    async def answer(self, request: Request, kind: str, question: Question) -> Answer:
        """Read a body and predict its clients."""
        most = self.limits.json_bytes if kind == JSON else self.limits.csv_bytes
        async with self.reader.body(request, most) as body:
            try:
                async with asyncio.timeout(self.limits.seconds):
                    if kind != JSON:
                        return await self.lanes.alone(
                            lambda databases: self._of_file(
                                request, kind, body, question, databases
                            )
                        )
                    return await self._of_json(body, question)
            except TimeoutError:
                raise RefusedError(
                    503, f"this takes more than {self.limits.seconds} seconds", "send fewer rows"
                ) from None

    async def _of_json(self, body: bytes, question: Question) -> Answer:
        if len(body) > SMALL:
            return await self.lanes.alone(
                lambda databases: self._of_large(body, question, databases)
            )
        read = read_json(body, max_rows=self.limits.rows)
        if read.form == "events":
            return await self.lanes.together(question, events_of(read))
        return self._at_once(read, question)

    def _of_large(self, body: bytes, question: Question, databases: Databases) -> Answer:
        read = read_json(body, max_rows=self.limits.rows)
        if read.form != "events":
            return self._at_once(read, question)
        [answer] = predict_together(databases, question, [events_of(read)])
        if isinstance(answer, RefusedError):
            raise answer
        return answer

    def _at_once(self, read: Body, question: Question) -> Answer:
        if read.form == "known":
            return look_up(self.known.current, question, read.ids)
        return predict_few(question, features_of(read))

    def _of_file(
        self, request: Request, kind: str, body: bytes, question: Question, databases: Databases
    ) -> Answer:
        file = uploaded(request.headers, body) if kind == FORM else body
        rows = read_csv(file, max_rows=self.limits.rows)
        if are_events(rows):
            return predict_events(databases, question, rows)
        if list(rows) == ["client_id"]:
            with explained():
                ids = client_ids(rows["client_id"].tolist(), "the CSV file")
            return look_up(self.known.current, question, ids)
        return predict_features(question, rows)
