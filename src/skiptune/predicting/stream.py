"""An answer piece by piece, while a model writes it."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from threading import Event, Thread
from typing import Any

import torch
from torch import Tensor, nn
from transformers import TextIteratorStreamer

from ..core.arguments import expect
from ..core.errors import InputError
from ..data.record import Record
from ..tasks.generation.stopping import WhenTold, before_stop
from ..tasks.generation.task import Generation
from ..tasks.generation.thoughts import Thoughts
from ..tasks.task import Task
from .predict import ready
from .questions import Asked, Questions


def writing(task: Task) -> Generation:
    """The task, if its models write text.

    Raises:
        InputError: they do not.
    """
    if not isinstance(task, Generation):
        raise InputError(f"task {task.name!r}: writes no text; this is for models of task 'generation'")
    return task


class Stream(Iterator[str]):
    """Pieces of an answer, which together are what :func:`skiptune.predict` answers. They are written in a thread of
    their own, which ends with the iteration.

    Attributes:
        cut: whether the answer had no end when as many tokens were written as are allowed; known after the last piece.
    """

    def __init__(self, model: nn.Module, task: Generation, record: Record) -> None:
        self.cut = False
        self._model, self._task, self._record = model, task, record
        self._stopped = Event()
        self._error: Exception | None = None
        self._pieces = self._write()

    @classmethod
    def of(cls, model: nn.Module, task: Task, image: Any, text: str | None, image2: Asked | None = None) -> Stream:
        """The answer to one question, given as to :func:`skiptune.predict`.

        Raises:
            InputError: the task writes none, several questions, or one that cannot be asked.
        """
        expect("stream", model=(model, nn.Module), task=(task, Task))
        generation = writing(task)
        questions = Questions.of(generation, image, text, image2)
        if not questions.single:
            raise InputError("stream: one question at a time; give one picture and one text, not lists")
        (asked,) = questions.asked
        if isinstance(asked, InputError):
            raise asked
        return cls(model, generation, asked)

    def __next__(self) -> str:
        return next(self._pieces)

    def close(self) -> None:
        """Stop writing."""
        self._pieces.close()

    def _write(self) -> Generator[str, None, None]:
        tokenizer = self._task.processor.tokenizer
        streamer = _Answers(tokenizer, skip_special_tokens=True)
        thread = Thread(target=self._run, args=(streamer,), daemon=True)
        thread.start()
        try:
            yield from _shown(streamer, self._task.decoding.stop)
        finally:
            self._stopped.set()
            thread.join()
        if self._error is not None:
            raise self._error

    def _run(self, streamer: TextIteratorStreamer) -> None:
        """Write the answer; what goes wrong is raised where the pieces are read."""
        stopping = [WhenTold(self._stopped.is_set)]
        options: dict[str, Any] = {"streamer": streamer, "stopping_criteria": stopping, "num_beams": 1}
        try:
            with ready(self._model, self._task) as asked:
                assert isinstance(asked, Generation)
                (written,) = asked.write(self._model, [self._record], **options)
            self.cut = written.cut
        except Exception as error:
            self._error = error
        finally:
            streamer.end()


class _Answers(TextIteratorStreamer):
    """Pieces of answers, without prompts and thoughts."""

    _thoughts: Thoughts | None = None

    def put(self, value: Tensor) -> None:
        """The prompt (1, tokens) first, then new tokens (1,)."""
        if self._thoughts is None:
            self._thoughts = Thoughts(self.tokenizer, value.flatten().tolist())
            return
        if said := self._thoughts.said(value.flatten().tolist()):
            super().put(torch.tensor(said))


def _shown(pieces: Iterable[str], stops: Sequence[str]) -> Iterator[str]:
    """The pieces up to the first text that ends the answer, without white space around the whole."""
    held, begun = "", False
    unsure = max(map(len, stops), default=1) - 1  # characters that may be the beginning of such a text
    for piece in pieces:
        held += piece
        stopped = before_stop(held, stops)
        if stopped is not None:
            held = stopped
            break
        ready_text = held[: max(0, len(held) - unsure)].rstrip()
        shown = ready_text if begun else ready_text.lstrip()
        if shown:
            begun, held = True, held[len(ready_text) :]
            yield shown
    rest = held.rstrip() if begun else held.strip()
    if rest:
        yield rest
