"""The models of one replica, with their queues."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..answering.opened import Opened, open_models
from ..answering.picture_limits import refuse_pixels
from ..core.errors import InputError
from ..core.validation import nearest, shortened
from ..predicting.results import Prediction
from .batches import Batches, Turn
from .body import Body
from .limits import Limits
from .metrics import Metrics
from .prepared import Prepared, prepared
from .refusal import BUSY, RefusedError, sentence_of
from .served import Served
from .told import Told, ToldAnswer, ToldModel, ToldPrediction

_DECODERS = 4
#: Letters of a model's name that are compared.
_NAME = 200


class Service:
    """Models that are asked over HTTP.

    Args:
        models: opened.
        limits: of requests.

    Attributes:
        metrics: what is counted.
        inside: requests that are read, wait or are answered now.
    """

    def __init__(self, models: Sequence[Opened], limits: Limits) -> None:
        self.limits, self.metrics = limits, Metrics()
        self.inside = 0
        self._models = {opened.name: Served(opened) for opened in models}
        self._decoders = ThreadPoolExecutor(min(_DECODERS, os.cpu_count() or 1), "decoding")
        turn = Turn(ThreadPoolExecutor(1, "model"), asyncio.Lock())
        self._batches = {
            name: Batches(name, served.answer, limits, turn, self.metrics) for name, served in self._models.items()
        }
        for served in self._models.values():
            served.warm()

    @classmethod
    def of(
        cls, folders: Mapping[str, Path], limits: Limits, threads: int, backend: str | None, base: str | None
    ) -> Service:
        """Open models, see :func:`~skiptune.answering.opened.open_models`.

        Args:
            folders: by name.
            limits: of requests.
            threads: of torch.
            backend: of all models.
            base: another place of the base model.

        Raises:
            InputError: as that function.
        """
        import torch

        torch.set_num_threads(threads)
        return cls(open_models(folders, backend, base), limits)

    def told(self) -> list[ToldModel]:
        """What the models are."""
        return [served.told() for served in self._models.values()]

    def known(self, name: str) -> bool:
        """Whether there is a model of a name."""
        return name in self._models

    async def ask(self, name: str, body: Body) -> Told:
        """The answers to a request.

        Raises:
            RefusedError: there is no such model, or it cannot be asked this.
        """
        loop = asyncio.get_running_loop()
        self.refuse_unknown(name)
        try:
            questions = await loop.run_in_executor(self._decoders, self._questions, name, body)
        except InputError as error:
            raise RefusedError(400, sentence_of(error)) from None
        batches = self._batches[name]
        found = await asyncio.gather(*(batches.ask(question) for question in questions))
        return _told(name, questions, found)

    def refuse_busy(self) -> None:
        """Refuse a request that there is no place for.

        Raises:
            RefusedError: with the number of those that wait.
        """
        if self.inside >= self.limits.queue:
            raise RefusedError(BUSY, f"busy: {self.inside} requests wait already; come again later")

    def refuse_unknown(self, name: str) -> None:
        """Refuse the name of a model that is not there.

        Raises:
            RefusedError: with the nearest one.
        """
        if name not in self._models:
            raise RefusedError(404, f"model {shortened(name)!r}: there is none{nearest(name[:_NAME], self._models)}")

    def _questions(self, name: str, body: Body) -> list[Prepared]:
        ask, pictures = body.read(self.limits)
        for content in pictures:
            refuse_pixels(content, self.limits.megapixels)
        return prepared(self._models[name].task, ask, pictures)


def _told(name: str, questions: Sequence[Prepared], found: Sequence[Prediction]) -> Told:
    """The response.

    Raises:
        RefusedError: a question cannot be answered.
    """
    for prediction in found:
        if prediction.error is not None:
            raise RefusedError(400, sentence_of(InputError(prediction.error)))
    return Told(
        model=name,
        predictions=tuple(
            ToldPrediction(
                text=question.record.text,
                answers=tuple(ToldAnswer(**answer.to_dict()) for answer in prediction.answers),
            )
            for question, prediction in zip(questions, found, strict=True)
        ),
    )
