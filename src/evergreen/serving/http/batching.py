"""Where requests are worked on: small ones together, large ones one after the other."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from evergreen.serving.events_database import Databases
from evergreen.serving.http.predict import Answer, Question, predict_together

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evergreen.serving.http.bodies import Events

Result = TypeVar("Result")
TOGETHER = 64
GATHERING_SECONDS = 0.002
"""How long a pass waits for company: those who were answered together come back together."""


class Waiting(NamedTuple):
    """A request that waits for its answer."""

    question: Question
    asked: Events
    answer: asyncio.Future[Answer]

    @property
    def company(self) -> object:
        """Requests of equal company can be answered by one pass."""
        version = self.question.release.version
        return version, self.question.as_of, self.question.targets, self.asked.amounts


class Lanes:
    """Two threads: for requests of few events, which wait together, and for large ones.

    While a pass over the database runs, requests come in; the next pass answers all of them. So a
    client's request waits for a pass and a half, and many cost little more than one.
    """

    def __init__(self) -> None:
        self._databases = Databases()
        self._small = ThreadPoolExecutor(1, thread_name_prefix="small")
        self._large = ThreadPoolExecutor(1, thread_name_prefix="large")
        self._waiting: list[Waiting] = []
        self._working: asyncio.Task[None] | None = None

    async def together(self, question: Question, asked: Events) -> Answer:
        """Answer a request of few events, with others that wait."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append(Waiting(question, asked, answer))
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        return await answer

    async def alone(self, work: Callable[[Databases], Result]) -> Result:
        """Do the work of a large request."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._large, work, self._databases)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            await asyncio.sleep(GATHERING_SECONDS)
            company, waiting = self._waiting[0].company, self._waiting
            chosen = [one for one in waiting if one.company == company][:TOGETHER]
            taken = {id(one) for one in chosen}
            self._waiting = [one for one in waiting if id(one) not in taken]
            answers: Sequence[Answer | Exception]
            try:
                answers = await loop.run_in_executor(
                    self._small,
                    predict_together,
                    self._databases,
                    chosen[0].question,
                    [one.asked for one in chosen],
                )
            except Exception as error:  # noqa: BLE001 - to each who waits, as if it were alone
                answers = [error] * len(chosen)
            for one, answer in zip(chosen, answers, strict=True):
                _settle(one.answer, answer)

    def close(self) -> None:
        """Let the threads end when they have done what they were given."""
        self._small.shutdown(wait=False)
        self._large.shutdown(wait=False)


def _settle(waiting: asyncio.Future[Answer], answer: Answer | Exception) -> None:
    if waiting.done():  # whoever asked has gone
        return
    if isinstance(answer, Exception):
        waiting.set_exception(answer)
    else:
        waiting.set_result(answer)
