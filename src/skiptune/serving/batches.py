"""Questions to a model, answered in batches.

``ray.serve.batch`` fixes a batch before the model is free for it, so that what comes meanwhile waits for another one;
it waits as long when nobody else asks; and it needs a replica, also in tests.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from ..predicting.results import Prediction
from .limits import Limits
from .metrics import Metrics
from .prepared import Prepared


@dataclass
class Turn:
    """Models of a replica take turns: two at once would only share the processor.

    Attributes:
        executor: of one thread, in which models run.
        lock: of the model that runs.
    """

    executor: Executor
    lock: asyncio.Lock


@dataclass(frozen=True)
class _Waiting:
    question: Prepared
    answer: asyncio.Future[Prediction]


class Batches:
    """The queue of a model.

    Args:
        name: of the model.
        answer: answers the questions of a batch, in their order.
        limits: size of batches, and how long to wait for them.
        turn: shared by all models of the replica.
        metrics: count batches.
    """

    def __init__(
        self,
        name: str,
        answer: Callable[[Sequence[Prepared]], Sequence[Prediction]],
        limits: Limits,
        turn: Turn,
        metrics: Metrics,
    ) -> None:
        self._name, self._answer, self._limits, self._turn, self._metrics = name, answer, limits, turn, metrics
        self._queue: deque[_Waiting] = deque()
        self._came = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._last = 1

    async def ask(self, question: Prepared) -> Prediction:
        """The answer to a question. Who does not wait any longer cancels it, and it is not asked."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())
        waiting = _Waiting(question, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._came.set()
        return await waiting.answer

    async def _work(self) -> None:
        while True:
            await self._came.wait()
            async with self._turn.lock:
                await self._wait_for_more()
                if batch := self._next():
                    await self._run(batch)

    async def _wait_for_more(self) -> None:
        """Wait for as many as came last time: who was answered together often asks again together."""
        wanted = min(self._last, self._limits.batch)
        end = time.perf_counter() + self._limits.batch_wait / 1000
        while len(self._queue) < wanted and (left := end - time.perf_counter()) > 0:
            self._came.clear()
            try:
                await asyncio.wait_for(self._came.wait(), left)
            except asyncio.TimeoutError:
                break

    def _next(self) -> list[_Waiting]:
        """The next batch: what goes with the first that waits, in the order in which it came."""
        batch: list[_Waiting] = []
        others: deque[_Waiting] = deque()
        for waiting in self._queue:
            if waiting.answer.done():
                continue
            fits = not batch or waiting.question.decoding == batch[0].question.decoding
            (batch if fits and len(batch) < self._limits.batch else others).append(waiting)
        self._queue, self._last = others, len(batch)
        # Who waited for more may have cleared it, though some are left for the next batch.
        (self._came.set if others else self._came.clear)()
        self._metrics.waiting(self._name, len(others))
        return batch

    async def _run(self, batch: Sequence[_Waiting]) -> None:
        """Answer a batch. Where the model fails, each question is asked alone: one spoils no other's answer."""
        start = time.perf_counter()
        questions = [waiting.question for waiting in batch]
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._turn.executor, self._answer, questions)
        except Exception as error:
            if len(batch) > 1:
                for waiting in batch:
                    if not waiting.answer.done():
                        await self._run([waiting])
            elif not batch[0].answer.done():
                batch[0].answer.set_exception(error)
            return
        for waiting, prediction in zip(batch, found, strict=True):
            if not waiting.answer.done():
                waiting.answer.set_result(prediction)
        self._metrics.batch(self._name, len(batch), time.perf_counter() - start)
