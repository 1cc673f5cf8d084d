"""Answer small requests in batches, and large ones one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from evergreen.serving.events_database import Databases
from evergreen.serving.http.predict import PredictionQuery, PredictionResult, predict_batch

if TYPE_CHECKING:
    from evergreen.serving.http.bodies import ClientEvents

Result = TypeVar("Result")
MAX_BATCH = 64
GATHERING_SECONDS = 0.002
"""How long a batch waits for more requests: those answered together come back together."""


class PendingRequest(NamedTuple):
    """A request that waits for its result."""

    query: PredictionQuery
    events: ClientEvents
    result: asyncio.Future[PredictionResult]

    @property
    def batch_key(self) -> object:
        """Requests with equal keys can be answered in one batch."""
        version = self.query.release.version
        return version, self.query.as_of, self.query.targets, self.events.amounts


class Batcher:
    """Two threads: one for small requests, which are batched, and one for large requests.

    Requests that arrive while one batch is in the database form the next batch. So a request waits
    for one and a half batches on average, and a batch costs little more than a single request.
    """

    def __init__(self) -> None:
        self._databases = Databases()
        self._small = ThreadPoolExecutor(1, thread_name_prefix="small")
        self._large = ThreadPoolExecutor(1, thread_name_prefix="large")
        self._pending: list[PendingRequest] = []
        self._worker: asyncio.Task[None] | None = None

    async def predict_small(self, query: PredictionQuery, events: ClientEvents) -> PredictionResult:
        """Predict clients with few events, in a batch with other pending requests."""
        result: asyncio.Future[PredictionResult] = asyncio.get_running_loop().create_future()
        self._pending.append(PendingRequest(query, events, result))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await result

    async def run_large(self, work: Callable[[Databases], Result]) -> Result:
        """Run the work of a large request in its thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._large, work, self._databases)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while self._pending:
            await asyncio.sleep(GATHERING_SECONDS)
            key, pending = self._pending[0].batch_key, self._pending
            batch = [request for request in pending if request.batch_key == key][:MAX_BATCH]
            ids = {id(request) for request in batch}
            self._pending = [request for request in pending if id(request) not in ids]
            results: Sequence[PredictionResult | Exception]
            try:
                results = await loop.run_in_executor(
                    self._small,
                    predict_batch,
                    self._databases,
                    batch[0].query,
                    [request.events for request in batch],
                )
            except Exception as error:  # noqa: BLE001 - raised in every request of the batch
                results = [error] * len(batch)
            for request, result in zip(batch, results, strict=True):
                _settle(request.result, result)

    def close(self) -> None:
        """Let the threads end when their current work is done."""
        self._small.shutdown(wait=False)
        self._large.shutdown(wait=False)


def _settle(future: asyncio.Future[PredictionResult], result: PredictionResult | Exception) -> None:
    if future.done():  # the caller has disconnected
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
