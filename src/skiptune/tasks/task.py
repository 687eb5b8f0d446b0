"""The base of all tasks: a task turns records into batches with labels, and a model's outputs into metrics."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import torch
from torch import Tensor, nn

from ..core.errors import InputError
from ..core.shown import shown
from ..data.damaged import Damaged
from ..data.given_records import Examples, as_records
from ..data.images import ImageStore
from ..data.record import Record, check_kind
from ..families.registry import family_of, family_of_processor, is_supported
from .activation import Activation
from .answer import Answer
from .evaluation_result import Evaluation
from .task_settings import TaskSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel
    from typing_extensions import Self

    from ..data.parts import Data
    from ..data.readers.collecting import RowChecks

#: Tokens of a text, where neither the tokenizer nor the model says less.
_LONGEST_TEXT = 512
#: Fields of a transformers configuration, whose values are of any type.
ConfigFields: TypeAlias = dict[str, Any]
#: Refuses a record that is not of a task, by an :class:`InputError`.
Check: TypeAlias = Callable[[Record], None]


class Task(ABC):
    """A task over the records of :mod:`skiptune.data`.

    Args:
        processor: tokenizer and image processor of the family; a task that is only exported needs the image processor
            alone.
    """

    name: ClassVar[str]
    #: Name of the metric that models are compared by.
    metric: str
    #: What one record is called in reports.
    unit: ClassVar[str]
    #: Whether every record has a text.
    needs_text: ClassVar[bool] = True
    #: Whether every record has an image, and its text is no conversation.
    needs_image: ClassVar[bool] = True
    #: Whether models are trained for it.
    trained: ClassVar[bool] = True
    #: The power of the number of records by which the time of an evaluation grows.
    growth: ClassVar[int] = 1
    #: Names of the labels that records have, in order; none for tasks without labels.
    choices: ClassVar[tuple[str, ...]] = ()
    #: Number of images that a record is about.
    number: int = 1

    def __init__(self, processor: Any) -> None:
        if not hasattr(getattr(processor, "image_processor", processor), "image_mean"):
            raise InputError(f"processor: {shown(processor)} is none; give that of load_processor(model)")
        self.processor = processor
        self.images = ImageStore(getattr(processor, "image_processor", processor))
        self._longest_text = _LONGEST_TEXT

    def __repr__(self) -> str:
        answers = self.settings().get("answers")
        known = f"{len(answers):,} answers, " if answers else ""
        return f"{type(self).__name__}({known}measured by {self.metric}, {type(self.processor).__name__})"

    def with_processor(self, processor: Any) -> Self:
        """The same task with another processor."""
        other = copy.copy(self)
        Task.__init__(other, processor)
        return other

    def keeping(self, memory_limit: int) -> Self:
        """The same task with no pixels kept yet, which will keep so many bytes of them at most."""
        other = copy.copy(self)
        other.images = self.images.keeping(memory_limit)
        return other

    def reporting(self, damaged: Damaged | None) -> Self:
        """The same task, which reports images that cannot be read to ``damaged``; with ``None`` they raise."""
        other = copy.copy(self)
        other.images = self.images.reporting(damaged)
        return other

    def cut_texts_for(self, model: nn.Module) -> None:
        """Cut texts where ``model`` has no more positions, if the tokenizer allows more."""
        config = getattr(model, "config", None)
        if is_supported(getattr(config, "model_type", None)) and hasattr(config, "to_dict"):
            self._longest_text = min(_LONGEST_TEXT, family_of(model).sizes(config).longest_text)

    def unfit(self, records: Sequence[Record], part: str) -> Iterator[tuple[int, str]]:
        """The numbers of records that the model cannot read, each with the reason; by default all fit."""
        return iter(())

    @property
    def head(self) -> str:
        """The name, in the table of families, of the model class that the task needs."""
        return self.name

    @property
    def model_class(self) -> type[PreTrainedModel]:
        """The class with a head for this task, of the family that the processor belongs to."""
        return family_of_processor(self.processor).model_class(self.head)

    def model_changes(self) -> ConfigFields:
        """Configuration fields of a model for this task, e.g. ``num_labels``; by default none."""
        return {}

    @classmethod
    def from_records(cls, processor: Any, records: Examples, least: int = 1) -> Self:
        """The task as training records define it.

        Args:
            processor: of the model.
            records: of this task, or rows that :func:`skiptune.records` takes; all are checked.
            least: answers and labels given less often are left out.

        Raises:
            InputError: a record is not of this task, or they do not define one.
        """
        return cls.from_checked(processor, cls.checked(records), least)

    @classmethod
    def from_checked(cls, processor: Any, records: Sequence[Record], least: int = 1, **options: Any) -> Self:
        """As :meth:`from_records`, of records that were checked; ``options`` are further arguments of the task.

        By default nothing is learnt from the records.
        """
        return cls(processor, **options)

    @classmethod
    def from_data(cls, processor: Any, data: Data, least: int = 1, known: Sequence[str] = (), **options: Any) -> Task:
        """The task as the data of a run define it; ``known`` are the answers of the model's own head."""
        return cls.from_checked(processor, data.train, least, **options)

    @classmethod
    def checker(cls) -> Check:
        """A function that refuses a record which is not of the task, see :func:`refuse_unless`; by default none is.

        It is made for the records of one part of the data, and may compare each with those before it.
        """
        return lambda record: None

    @classmethod
    def checked(cls, records: Examples) -> Sequence[Record]:
        """The records, if they are of this task.

        Raises:
            InputError: as :meth:`check`.
        """
        found = as_records(records, cls.row_checks())
        cls.check(found)
        return found

    @classmethod
    def check(cls, records: Sequence[Record]) -> None:
        """Refuse records of which any is not of this task.

        Raises:
            InputError: names the record, by its place from 1 on, and the field that is missing.
        """
        check_kind(records)
        check = cls._whole_check()
        for number, record in enumerate(records, start=1):
            try:
                check(record)
            except InputError as error:
                raise InputError(f"record {number}: {error}") from None

    @classmethod
    def row_checks(cls) -> RowChecks:
        """How readers tell rows of this task; new for every part, see :meth:`checker`."""
        return {"accept": cls._whole_check(), "labels": cls.choices, "task": cls.name}

    @classmethod
    def _whole_check(cls) -> Check:
        """:meth:`checker`, after what all tasks on one or two images need."""
        own = cls.checker()

        def check(record: Record) -> None:
            if cls.needs_image:
                refuse_unless(record.image is not None, cls.name, "an image")
                refuse_unless(not record.turns and not record.further, cls.name, "one text, not a conversation")
            own(record)

        return check

    def own_row_checks(self) -> RowChecks:
        """As :meth:`row_checks`, for rows that a model of just this task can judge."""
        return self.row_checks()

    def asked_row_checks(self) -> RowChecks:
        """As :meth:`own_row_checks`, for rows that the model is only asked about: without answers or labels, and with
        images that are looked at when they are used."""
        return {**self.own_row_checks(), "accept": self.asked_check(), "look_at_images": False}

    def asked_check(self) -> Check:
        """A function that refuses a record which the model cannot be asked about, its answer known or not."""
        return self.own_row_checks()["accept"]

    @classmethod
    def answered(cls, record: Record) -> bool:
        """Whether a right answer to the record is known."""
        return True

    def start_head(self, model: nn.Module, records: Sequence[Record]) -> None:  # noqa: B027 - most start well
        """Initialise an untrained head from the training ``records``. In place."""

    @abstractmethod
    def collate(self, records: Sequence[Record]) -> dict[str, Tensor]:
        """Turn records into the model's inputs, with ``labels``."""

    def input_size(self, records: Sequence[Record]) -> tuple[tuple[int, int], int]:
        """(height, width) in pixels and tokens of text of a batch, see :mod:`skiptune.tasks.input_size`."""
        batch = self.collate(records)
        height, width = batch["pixel_values"].shape[-2:]
        return (int(height), int(width)), int(batch["input_ids"].shape[-1]) if "input_ids" in batch else 0

    @abstractmethod
    def measure(self, model: nn.Module, records: Sequence[Record], batch_size: int, title: str) -> Evaluation:
        """Evaluate ``model``, in evaluation mode, as it stands."""

    @property
    def activation(self) -> Activation:
        """What makes probabilities of the model's outputs."""
        return "none"

    def best_answers(self, model: nn.Module, records: Sequence[Record], top: int) -> list[tuple[Answer, ...]]:
        """For each record, the model's ``top`` best answers, best first; the records are one batch."""
        return self.answers_to(self.asked_model(model), records, self.prepare(records), top)

    def prepare(self, records: Sequence[Record]) -> dict[str, Tensor]:
        """What :meth:`answers_to` needs of one batch; it is made without the model, in another thread perhaps."""
        return {}

    def asked_model(self, model: nn.Module) -> nn.Module:
        """The model as :meth:`answers_to` takes it, made once for many batches."""
        return model

    def answers_to(
        self, model: nn.Module, records: Sequence[Record], inputs: dict[str, Tensor], top: int
    ) -> list[tuple[Answer, ...]]:
        """As :meth:`best_answers`, with what :meth:`prepare` made of the records."""
        raise NotImplementedError(f"{type(self).__name__}: defines neither best_answers nor answers_to")

    def extent(self, record: Record) -> tuple[float, float]:
        """Two numbers by which records are sorted, so that those of a batch have about the same size: of the images,
        and of the text."""
        return self.images.extent(record.images), len(record.text)

    def accepted(self, record: Record) -> list[str]:
        """The right answers, for reports; by default they are not told."""
        return []

    def priors(self, train: Sequence[Record], records: Sequence[Record]) -> dict[str, tuple[float, ...]]:
        """What rules reach that see no image: for each, one number per measured record, whose mean is the headline.

        Args:
            train: training records, which the rules know.
            records: to measure on; all of a known answer count, as in :meth:`measure`.
        """
        return {}

    def settings(self) -> TaskSettings:
        """The arguments, beside the processor, that make this task again; JSON values. By default none."""
        return {}

    @property
    def text_limit(self) -> int:
        """How many tokens of a text are read at most."""
        return int(min(self.processor.tokenizer.model_max_length, self._longest_text))

    def tokenize(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """``input_ids`` and ``attention_mask``, ``(texts, tokens)``, padded to the longest and cut at the limit.

        For families that fill texts up, as SigLIP, all have the limit's length, and nothing is masked.
        """
        tokenizer, fills = self.processor.tokenizer, family_of_processor(self.processor).fills_texts
        limit = self.text_limit
        found = tokenizer(
            list(texts),
            padding="max_length" if fills else True,
            truncation=True,
            max_length=limit,
            return_tensors="pt",
            return_attention_mask=True,  # not all tokenizers give it unasked
        )
        if fills:
            found["attention_mask"] = torch.ones_like(found["input_ids"])
        return {name: found[name] for name in ("input_ids", "attention_mask")}


def on_device(batch: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """The batch where the model is; one without parameters is on the CPU."""
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    return {name: value.to(device) for name, value in batch.items()}


def refuse_unless(fine: object, task: str, what: str) -> None:
    """Refuse a record that lacks what a task needs, or has what it does not use.

    Raises:
        InputError: names the task and the field.
    """
    if not fine:
        raise InputError(f"task {task!r} needs records with {what}; this one is of another kind")
