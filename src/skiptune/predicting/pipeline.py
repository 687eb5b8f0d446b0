"""A model with its task, to be asked: what :func:`skiptune.pipeline` gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import torch
from torch import nn

from ..core.arguments import expect
from ..core.errors import InputError
from ..core.process import usable_device
from ..tasks.task import Task
from .files.answer_output import AnswerFile, AnswerOutput
from .predict import BATCH, predict
from .questions import Asked, Pictures, Texts, check_number
from .rank import rank
from .results import Prediction, Ranked
from .stream import Stream, writing

if TYPE_CHECKING:
    from ..data.given_records import Examples

_ANSWERS = 5
#: Their overloads are for one or for many; here it may be either.
_predict: Any = predict
_rank: Any = rank


class Pipeline:
    """A model with its task. ``pipe(picture, "what is it?")`` answers; with lists, it answers every question in them.

    Attributes:
        model: the model.
        task: its task, with the processor.
        batch_size: how many questions the model gets at a time.
    """

    def __init__(self, model: nn.Module, task: Task, batch_size: int = BATCH) -> None:
        expect("pipeline", model=(model, nn.Module), task=(task, Task))
        check_number("batch_size", batch_size, "how many questions to ask at a time")
        self.model, self.task, self.batch_size = model, task, batch_size

    def __repr__(self) -> str:
        return f"Pipeline({type(self.model).__name__}, {self.task!r}, on {self.device})"

    @property
    def device(self) -> torch.device:
        """Where the model is; ONNX models are on the CPU."""
        return next((parameter.device for parameter in self.model.parameters()), torch.device("cpu"))

    def to(self, device: str | torch.device) -> Pipeline:
        """Move the model; returns ``self``.

        Raises:
            InputError: there is no such device, or torch cannot use it.
        """
        self.model.to(usable_device(device))
        return self

    def with_decoding(self, **fields: Any) -> Pipeline:
        """The same model, which writes its answers in another way: ``pipe.with_decoding(temperature=0.7, seed=1)``.

        Args:
            fields: of :class:`~skiptune.tasks.generation.decoding.Decoding`.

        Raises:
            InputError: it writes none, or a value is out of range.
        """
        return Pipeline(self.model, writing(self.task).with_decoding(**fields), self.batch_size)

    def stream(self, image: Asked | None = None, text: str | None = None, *, image2: Asked | None = None) -> Stream:
        """The answer to one question piece by piece, as it is written, see :class:`Stream`.

        Raises:
            InputError: the model writes none, or as :func:`skiptune.predict` for one question.
        """
        return Stream.of(self.model, self.task, image, text, image2)

    @overload
    def __call__(  # type: ignore[overload-overlap]  # a text is a sequence of texts, too
        self, image: Asked | None = None, text: str | None = None, *, top: int = 5, image2: Asked | None = None
    ) -> Prediction: ...
    @overload
    def __call__(
        self, image: Asked, text: Sequence[str], *, top: int = 5, image2: Pictures | None = None
    ) -> list[Prediction]: ...
    @overload
    def __call__(
        self, image: Sequence[Asked], text: Texts | None = None, *, top: int = 5, image2: Pictures | None = None
    ) -> list[Prediction]: ...
    @overload
    def __call__(self, image: Asked, *, texts: Sequence[str], top: int | None = None) -> list[Ranked]: ...
    @overload
    def __call__(self, *, images: Sequence[Asked], text: str, top: int | None = None) -> list[Ranked]: ...
    def __call__(
        self,
        image: Pictures | None = None,
        text: Texts | None = None,
        *,
        top: int | None = None,
        image2: Pictures | None = None,
        images: Sequence[Asked] | None = None,
        texts: Sequence[str] | None = None,
    ) -> Prediction | list[Prediction] | list[Ranked]:
        """Answer, as :func:`skiptune.predict`; with ``texts`` or ``images``, rank them as :func:`skiptune.rank`.

        Raises:
            InputError: as those, or ``images`` and ``image``, or ``texts`` and ``text``, together.
        """
        if images is None and texts is None:
            if image is None and self.task.needs_image:
                raise InputError("image: there is none to ask about")
            most = _ANSWERS if top is None else top
            answered: Prediction | list[Prediction] = _predict(
                self.model, self.task, image, text, most, image2, batch_size=self.batch_size
            )
            return answered
        if (images is None) == (image is None) or (texts is None) == (text is None) or image2 is not None:
            raise InputError("a ranking is of one image and texts=[…], or of images=[…] and one text")
        return self._rank(image if images is None else images, text if texts is None else texts, top)

    def predict_file(
        self,
        records: Examples,
        output: str | Path,
        *,
        top: int = 1,
        workers: int = 1,
        images: str | Path | None = None,
        most_bad: float | None = None,
        force: bool = False,
    ) -> AnswerFile:
        """Answer many records into a file, a row each, in their order; memory does not grow with them.

        Parts of the file are kept beside it, in ``OUTPUT.parts``, until all are there: what was stopped or killed goes
        on with the same call, and ends with the same file. A record that cannot be asked has an ``error`` in its row.

        Args:
            records: as readers give them, or rows that :func:`skiptune.records` takes; answers need not be known.
            output: the file; its ending says its format: ``.jsonl``, ``.csv`` or ``.parquet``.
            top: how many answers to give to each.
            workers: threads that read and decode pictures while the model computes; 0: it waits for them.
            images: the folder that pictures' names in the file are relative to; ``None``: they are told whole.
            most_bad: share of rows with an error above which to stop; ``None``: none stops.
            force: replace a file that is there, and drop parts of one.

        Returns:
            The file, how many rows are in it, and how many of them have an error.

        Raises:
            InputError: an argument of another type, no such format, the file is there already, parts of it are of
                another model, other records or other options, another process writes it, or too many errors.
            RunError: the disk is full or not writable.
        """
        from .files.predict_records import predict_records  # imports Arrow, which a single question does without

        expect("predict_file", output=(output, (str, Path)), images=(images, (str, Path, type(None))))
        return predict_records(
            self,
            records,
            AnswerOutput(Path(output), most_bad, force),
            top=top,
            workers=workers,
            images=None if images is None else Path(images),
        )

    @overload
    def rank(self, image: Asked, text: Sequence[str], top: int | None = None) -> list[Ranked]: ...
    @overload
    def rank(self, image: Sequence[Asked], text: str, top: int | None = None) -> list[Ranked]: ...
    def rank(self, image: Pictures, text: Texts, top: int | None = None) -> list[Ranked]:
        """Order texts for a picture, or pictures for a text, see :func:`skiptune.rank`."""
        return self._rank(image, text, top)

    def _rank(self, image: Pictures | None, text: Texts | None, top: int | None) -> list[Ranked]:
        ranked: list[Ranked] = _rank(self.model, self.task, image, text, top, batch_size=self.batch_size)
        return ranked
