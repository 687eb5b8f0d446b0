"""One question to one model, whatever its task is."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from ..core.errors import InputError
from ..data.record import Record
from ..predicting.pipeline import Pipeline
from ..predicting.stream import Stream
from ..tasks.answer import Answer
from ..tasks.retrieval import Retrieval


@dataclass(frozen=True)
class Question:
    """What is asked.

    Attributes:
        picture: an encoded picture; ``None``: there is none, which only a model that writes can be asked about.
        text: a question, statement or hypothesis; of retrieval, captions to compare, one a line.
        picture2: the second picture of a statement about two.
        options: answers that a model that writes chooses from; none: it writes one.
    """

    picture: bytes | None = None
    text: str = ""
    picture2: bytes | None = None
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answered:
    """What a model answers.

    Attributes:
        answers: best first; of retrieval, the captions with their scores.
        seconds: from the encoded picture to the answers.
    """

    answers: tuple[Answer, ...]
    seconds: float


def ask(pipeline: Pipeline, question: Question, top: int = 5) -> Answered:
    """The ``top`` best answers to a question; of captions to compare, all.

    Raises:
        InputError: a picture or a text is missing, or one too many, or it cannot be read.
    """
    start = time.perf_counter()
    return Answered(tuple(_answers(pipeline, question, top)), time.perf_counter() - start)


def stream(pipeline: Pipeline, question: Question) -> Stream:
    """The answer of a model that writes, piece by piece.

    Raises:
        InputError: as :func:`ask`, or the model writes none.
    """
    return pipeline.stream(question.picture, question.text or None, image2=question.picture2)


def _answers(pipeline: Pipeline, question: Question, top: int) -> Iterable[Answer]:
    if isinstance(pipeline.task, Retrieval):
        texts = lines(question.text)
        if question.picture is None or not texts:
            raise InputError("a picture and at least one caption are needed, captions one a line")
        return (Answer(each.item, score=each.score) for each in pipeline.rank(question.picture, texts))
    if question.options:
        pictures = [each for each in (question.picture, question.picture2) if each is not None]
        first, further = next(iter(pictures), None), tuple(pictures[1:])
        asked = Record(first, question.text, further=further, options=question.options)
        return pipeline(asked, top=len(question.options))
    return pipeline(question.picture, question.text or None, top=top, image2=question.picture2)


def lines(text: str) -> list[str]:
    """What stands on each line that is not empty."""
    return [line.strip() for line in text.splitlines() if line.strip()]
