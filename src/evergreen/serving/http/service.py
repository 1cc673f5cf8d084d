"""What the routes share: the release, the score cache, and the prediction of a request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from evergreen.serving.events import are_events, client_ids
from evergreen.serving.http.batching import Batcher
from evergreen.serving.http.bodies import (
    PredictionRequest,
    events_of,
    features_of,
    read_json,
)
from evergreen.serving.http.limits import RefusedError, RequestLimits
from evergreen.serving.http.metrics import ServerMetrics
from evergreen.serving.http.predict import (
    PredictionQuery,
    PredictionResult,
    input_errors_refused,
    predict_batch,
    predict_events,
    predict_feature_rows,
    predict_feature_table,
)
from evergreen.serving.http.request_body import SMALL, BodyReader, file_of_form
from evergreen.serving.http.score_cache import ScoreCache, look_up
from evergreen.serving.http.uploads import read_csv

if TYPE_CHECKING:
    from starlette.requests import Request

    from evergreen.serving.events_database import Databases
    from evergreen.serving.http.release_watcher import ReleaseWatcher

JSON, CSV, FORM = "application/json", "text/csv", "multipart/form-data"


class Service:
    """The state of the server, and the prediction of a request's clients."""

    def __init__(self, watcher: ReleaseWatcher, cache: ScoreCache, limits: RequestLimits) -> None:
        self.watcher = watcher
        self.cache = cache
        self.metrics = ServerMetrics()
        self.batcher = Batcher()
        self._limits = limits
        self._reader = BodyReader(limits)
        self._working = 0

    async def watch_release(self, every_seconds: float) -> None:
        """Switch to each new release."""
        while True:
            await asyncio.to_thread(self.watcher.refresh)
            self.report_release()
            await asyncio.sleep(every_seconds)

    def report_release(self) -> None:
        """Update the metrics of the release in use."""
        self.metrics.use_release(
            self.watcher.release.version, refused=self.watcher.refused is not None
        )

    async def refresh_cache(self, every_seconds: float) -> None:
        """Score all clients again for each new release and date."""
        while True:
            await asyncio.to_thread(self.cache.refresh, self.watcher.release)
            await asyncio.sleep(every_seconds)

    async def predict(
        self, request: Request, media_type: str, query: PredictionQuery
    ) -> PredictionResult:
        """Read a body and predict its clients."""
        limits = self._limits
        max_bytes = limits.json_bytes if media_type == JSON else limits.csv_bytes
        async with self._reader.body(request, max_bytes) as body:
            if self._working >= limits.requests:
                raise RefusedError(503, "too many requests are being answered", "try again later")
            self._working += 1
            try:
                async with asyncio.timeout(limits.seconds):
                    if media_type == JSON:
                        return await self._predict_json(body, query)
                    return await self.batcher.run_large(
                        lambda databases: self._predict_file(
                            file_of_form(request.headers, body) if media_type == FORM else body,
                            query,
                            databases,
                        )
                    )
            except TimeoutError:
                raise RefusedError(
                    503, f"this takes longer than {limits.seconds} seconds", "send fewer rows"
                ) from None
            finally:
                self._working -= 1

    async def _predict_json(self, body: bytes, query: PredictionQuery) -> PredictionResult:
        if len(body) > SMALL:
            return await self.batcher.run_large(
                lambda databases: self._predict_large(body, query, databases)
            )
        content = read_json(body, max_rows=self._limits.rows, rules=query.release.rules)
        if content.form == "events":
            return await self.batcher.predict_small(query, events_of(content))
        return self._predict_directly(content, query)

    def _predict_large(
        self, body: bytes, query: PredictionQuery, databases: Databases
    ) -> PredictionResult:
        content = read_json(body, max_rows=self._limits.rows, rules=query.release.rules)
        if content.form != "events":
            return self._predict_directly(content, query)
        [result] = predict_batch(databases, query, [events_of(content)])
        if isinstance(result, RefusedError):
            raise result
        return result

    def _predict_directly(
        self, content: PredictionRequest, query: PredictionQuery
    ) -> PredictionResult:
        if content.form == "id":
            return look_up(self.cache.current, query, content.ids)
        return predict_feature_rows(query, features_of(content))

    def _predict_file(
        self, file: bytes, query: PredictionQuery, databases: Databases
    ) -> PredictionResult:
        rows = read_csv(file, max_rows=self._limits.rows)
        if are_events(rows):
            return predict_events(databases, query, rows)
        if list(rows) == ["client_id"]:
            with input_errors_refused():
                ids = client_ids(rows["client_id"].tolist(), "the CSV file", query.release.rules)
            return look_up(self.cache.current, query, ids)
        return predict_feature_table(query, rows)
