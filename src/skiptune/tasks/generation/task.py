"""Generation: the loss of answers, and answers that a model generates."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from ...core.errors import InputError
from ...data.record import Record
from ...data.turns import Turn
from ...families.chat_processor import ChatProcessor
from ..answer import Answer
from ..evaluation_result import Evaluation
from ..priors import answer_priors
from ..task import Check, ConfigFields, Task, on_device, refuse_unless
from ..task_settings import TaskSettings
from .choices import CHOSEN, likeliest, score_options
from .conversation import best_answer, check_conversation, conversation_of, question_of
from .decoding import Decoding
from .fitting import Fitting
from .image_settings import OF_MODEL, with_image_settings
from .inputs import ChatInputs
from .measures.accepted import accepted_answers
from .measures.written import WRITTEN
from .measuring import LIKELIHOOD, check_options, measured
from .pictures import WholePictures
from .settings import GenerationSettings
from .sizes import prompt_size
from .template import Suffixes, Template
from .writing import Writer, Written, template_ends

if TYPE_CHECKING:
    from ...data.parts import Data


class Generation(Task):
    """Conversations, questions with answers, or images with captions, answered by generated text.

    The loss is the mean over the tokens of answers, with the tokens that end them.

    Args:
        processor: of the model, as :func:`skiptune.load_processor` gives it.
        settings: fields of :class:`GenerationSettings`.

    Raises:
        InputError: a setting is wrong, or the processor has no chat template.
    """

    name = "generation"
    metric = "exact_match"
    unit = "questions"
    needs_text = False
    needs_image = False

    def __init__(self, processor: ChatProcessor, **settings: Any) -> None:
        if not isinstance(processor, ChatProcessor):
            raise InputError(
                f"processor: {type(processor).__name__} writes no conversations; give load_processor(model) of a model "
                "that generates text"
            )
        self.asked = GenerationSettings(**settings)
        self._given = processor
        self.processor = processor = with_image_settings(processor, self.asked.image_settings)
        self.metric = self.asked.measure or "exact_match"
        shrink = self.asked.larger_images == "shrink"
        self.images = WholePictures(processor.image_processor, self.asked.max_pixels, shrink)
        self.template = Suffixes(processor) if processor.joins_suffixes else Template(processor)
        self.inputs = ChatInputs(processor, self.asked.max_length)
        self.decoding = Decoding(max_new_tokens=self.asked.max_new_tokens, stop=self.asked.stop)

    @classmethod
    def from_checked(cls, processor: Any, records: Sequence[Record], least: int = 1, **options: Any) -> Generation:
        """The task with these settings. The measure of captions, of which none is the right one, is their likelihood,
        unless another is asked for."""
        described = all(record.captions for record in records)
        usual = LIKELIHOOD if records and described else "exact_match"
        return cls(processor, **{**options, "measure": options.get("measure") or usual})

    @classmethod
    def from_data(
        cls, processor: Any, data: Data, least: int = 1, known: Sequence[str] = (), **options: Any
    ) -> Generation:
        """As :meth:`from_checked`, of a run.

        Raises:
            InputError: the measure is a choice, and records to measure on have no options.
        """
        task = cls.from_checked(processor, data.train, least, **options)
        for part, records in data.held_out.items():
            if task.metric in CHOSEN:
                check_options(task.metric, records, part)
        return task

    def model_changes(self) -> ConfigFields:
        return {name: self.asked.image_settings[name] for name in OF_MODEL if name in self.asked.image_settings}

    def with_processor(self, processor: ChatProcessor) -> Generation:
        return self._again(processor, {})

    def with_settings(self, **changes: Any) -> Generation:
        """The same task with other settings; what :meth:`with_decoding` has set stays where they do not name it.

        Raises:
            InputError: as the class.
        """
        return self._again(self._given, changes)

    def _again(self, processor: ChatProcessor, changes: Mapping[str, Any]) -> Generation:
        other = type(self)(processor, **{**self.asked.to_dict(), **changes})
        kept = {name: value for name, value in self.decoding.to_dict().items() if name not in changes}
        other.decoding = other.decoding.replace(**kept)
        return other

    def cut_texts_for(self, model: nn.Module) -> None:
        """Nothing: ``max_length``, and the longest that the model's tokenizer says, cut texts."""

    def unfit(self, records: Sequence[Record], part: str) -> Iterator[tuple[int, str]]:
        """The numbers of records that the model cannot learn from, each with the reason, see :mod:`.fitting`."""
        return Fitting(self).problems(records, part)

    def extent(self, record: Record) -> tuple[float, float]:
        text = sum(len(turn.text) for turn in record.turns) or len(record.text)
        return self.pictures.extent(record.images), text

    def input_size(self, records: Sequence[Record]) -> tuple[tuple[int, int], int]:
        seen = next((record for record in records if record.images), None)
        images = 0 if seen is None else len(seen.images)
        found, text = prompt_size(self.prompts(records if seen is None else [seen]), images, self.processor)
        return found, text if seen is None else prompt_size(self.prompts(records), images, self.processor)[1]

    def settings(self) -> TaskSettings:
        found: TaskSettings = self.asked.to_dict()  # type: ignore[assignment]
        return found

    @classmethod
    def checker(cls) -> Check:
        def check(record: Record) -> None:
            if record.turns:
                check_conversation(record)
                return
            described = record.images and not record.answers  # a picture alone is to be described
            fine = record.text.strip() or record.captions or described
            refuse_unless(fine, cls.name, "a conversation, a question or captions")
            refuse_unless(record.label is None and record.labels is None, cls.name, "answers, not a label")

        return check

    @classmethod
    def answered(cls, record: Record) -> bool:
        return best_answer(record) is not None

    def turns(self, record: Record) -> tuple[Turn, ...]:
        """The conversation of a record, with the settings' prompt and system turn."""
        return conversation_of(record, self.asked.prompt, self.asked.system)

    def collate(self, records: Sequence[Record]) -> dict[str, Tensor]:
        """Inputs to learn from, see :meth:`ChatInputs.training`.

        Raises:
            InputError: an answer is missing or cannot be found.
        """
        conversations = [self.template.conversation(self.turns(record)) for record in records]
        return self.inputs.training(conversations, self.pictures.of_records(records))

    @property
    def pictures(self) -> WholePictures:
        """The images, as they are."""
        return cast(WholePictures, self.images)

    def prompts(self, records: Sequence[Record]) -> dict[str, Tensor]:
        """Inputs to generate the last answer of each record from, see :meth:`ChatInputs.prompts`."""
        texts = [self.template.prompt(question_of(self.turns(record))) for record in records]
        return self.inputs.prompts(texts, self.pictures.of_records(records))

    def with_decoding(self, **fields: Any) -> Generation:
        """The same task, whose answers are written in another way.

        Args:
            fields: of :class:`~skiptune.tasks.generation.decoding.Decoding`, e.g. ``temperature``.

        Raises:
            InputError: as that class.
        """
        other = copy.copy(self)
        other.decoding = self.decoding.replace(**{name: value for name, value in fields.items() if value is not None})
        return other

    @torch.inference_mode()
    def write(
        self, model: Any, records: Sequence[Record], prepared: dict[str, Tensor] | None = None, **options: Any
    ) -> list[Written]:
        """What the model answers to each record; the records are one batch.

        Args:
            model: in evaluation mode.
            records: the batch.
            prepared: its :meth:`prompts`; ``None``: they are made.
            options: of transformers' ``generate``.
        """
        writer = Writer(self.processor, self.ends, self.asked.cache == "static")
        prompts, names = on_device(prepared or self.prompts(records), model), [record.id for record in records]
        return writer.write(model, prompts, self.decoding, names, **options)

    def answers(self, model: Any, records: Sequence[Record]) -> list[str]:
        """The texts of :meth:`write`."""
        return [written.text for written in self.write(model, records)]

    @cached_property
    def ends(self) -> tuple[int, ...]:
        """Tokens by which the chat template ends an answer."""
        return template_ends(self.template, self.processor.tokenizer)

    def measure(self, model: nn.Module, records: Sequence[Record], batch_size: int, title: str) -> Evaluation:
        return measured(self, model, records, batch_size, title)

    def prepare(self, records: Sequence[Record]) -> dict[str, Tensor]:
        """The prompts; nothing where a record has options, whose prompts stand in batches of their own."""
        return {} if any(record.options for record in records) else self.prompts(records)

    def answers_to(
        self, model: nn.Module, records: Sequence[Record], inputs: dict[str, Tensor], top: int
    ) -> list[tuple[Answer, ...]]:
        """What the model writes, one answer; of a record with options the ``top`` likeliest, with probabilities among
        them."""
        choosing = [row for row, record in enumerate(records) if record.options]
        writing = [row for row, record in enumerate(records) if not record.options]
        found: dict[int, tuple[Answer, ...]] = {}
        if choosing:
            scored = score_options(self, model, [records[row] for row in choosing])
            found |= {row: likeliest(own, self.metric, top) for row, own in zip(choosing, scored, strict=True)}
        if writing:
            written = self.write(model, [records[row] for row in writing], inputs or None)
            found |= {row: (Answer(own.text, cut=own.cut or None),) for row, own in zip(writing, written, strict=True)}
        return [found[row] for row in range(len(records))]

    def accepted(self, record: Record) -> list[str]:
        return sorted(accepted_answers(record))

    def priors(self, train: Sequence[Record], records: Sequence[Record]) -> dict[str, tuple[float, ...]]:
        """The most frequent answer, over all questions and by question, see
        :func:`skiptune.tasks.priors.answer_priors`; nothing where no answer is given twice, as of captions, or where
        other things than written answers are measured."""
        if self.metric not in WRITTEN:
            return {}
        counts = Counter(answer for record in train for answer in accepted_answers(record))
        if not counts or counts.most_common(1)[0][1] < 2 or any(record.captions for record in records):
            return {}
        score = WRITTEN[self.metric].score
        measured = [record for record in records if self.answered(record)]
        return answer_priors(train, measured, accepted_answers, lambda record, answer: score(answer, record))
