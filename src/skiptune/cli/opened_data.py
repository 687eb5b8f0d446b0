"""The model and the rows of ``skiptune predict --data``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import InputError
from ..core.progress import busy
from .data_options import data_fields, format_of, require_images

if TYPE_CHECKING:
    from ..predicting.files.answer_job import AnswerJob
    from ..predicting.files.asked_rows import AskedRows
    from ..predicting.files.asking import Asking, Preparing
    from ..predicting.pipeline import Pipeline
    from ..tasks.task import Task
    from .predict_command import PredictOptions


@dataclass(frozen=True)
class OpenedData:
    """What answers need.

    Attributes:
        pipe: the model with its task.
        asked: the rows.
        asking: how they are asked.
        preparing: with how many threads.
    """

    pipe: Pipeline
    asked: AskedRows
    asking: Asking
    preparing: Preparing

    def job(self) -> AnswerJob:
        """What is asked, by digests."""
        from ..predicting.files.answer_job import AnswerJob

        with busy("looking at the rows"):
            return AnswerJob.of(self.pipe.model, self.pipe.task, self.asked, self.asking)


def opened(options: PredictOptions) -> OpenedData:
    """Open what a command line names.

    Raises:
        InputError: the model or the rows cannot be read, or options that do not go together.
    """
    from ..exporting.open_pipeline import pipeline
    from ..predicting.files.asking import Asking, Preparing
    from ..tasks.generation.task import Generation

    pipe = pipeline(options.model, backend=options.backend, base=options.base)
    writes = isinstance(pipe.task, Generation)
    if writes:
        pipe = pipe.with_decoding(**options.decoding)
    elif given := options.for_writing():
        raise InputError(f"{', '.join(given)}: for models that write; this is a model for {pipe.task.name}")
    asking = Asking.usual(options.top or 1, options.batch_size or Asking().batch_size, writes)
    preparing = Preparing() if options.workers is None else Preparing(options.workers)
    return OpenedData(pipe, asked_rows(options, pipe.task), asking, preparing)


@busy("reading")
def asked_rows(options: PredictOptions, task: Task) -> AskedRows:
    """The rows to answer.

    Args:
        options: of the command, with ``data``.
        task: of the model.

    Raises:
        InputError: they cannot be read, or none is a record of the task.
    """
    from ..data.parts import read_for_evaluation
    from ..predicting.files.asked_rows import AskedRows
    from ..predicting.files.pictures_alone import pictures_alone

    data = str(options.data)
    if options.of_pictures:
        return AskedRows(pictures_alone(Path(data), options.asked or "", task), Path(data))
    name = format_of(data, options.data_format)
    require_images(options, name)
    fields = {**data_fields(options), "most_bad": 1.0 if options.most_bad is None else options.most_bad}
    found = read_for_evaluation(name, data, fields, task.asked_row_checks(), asked=True)
    return AskedRows(found, Path(options.images or data))
