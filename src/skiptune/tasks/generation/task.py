"""Generation: the loss of answers, and answers that a model generates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from ...core.errors import InputError
from ...core.progress import track
from ...data.record import Record
from ...families.chat_processor import ChatProcessor
from ..answer import Answer
from ..evaluation_result import Evaluation
from ..task import Check, Task, on_device, refuse_unless
from ..task_settings import TaskSettings
from .conversation import best_answer, check_conversation, conversation_of, question_of
from .inputs import ChatInputs
from .pictures import WholePictures
from .settings import GenerationSettings
from .template import Suffixes, Template


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
        self.processor = processor
        self.asked = GenerationSettings(**settings)
        self.metric = self.asked.measure
        self.images = WholePictures(processor.image_processor, self.asked.max_pixels)
        self.template = Suffixes(processor) if processor.joins_suffixes else Template(processor)
        self.inputs = ChatInputs(processor, self.asked.max_length)

    def with_processor(self, processor: ChatProcessor) -> Generation:
        return type(self)(processor, **self.asked.to_dict())

    def cut_texts_for(self, model: nn.Module) -> None:
        """Nothing: ``max_length`` cuts texts."""

    def settings(self) -> TaskSettings:
        found: TaskSettings = self.asked.to_dict()  # type: ignore[assignment]
        return found

    @classmethod
    def checker(cls) -> Check:
        def check(record: Record) -> None:
            if record.turns:
                check_conversation(record)
                return
            fine = record.text.strip() or record.captions
            refuse_unless(fine, cls.name, "a conversation, a question or captions")
            refuse_unless(record.label is None and record.labels is None, cls.name, "answers, not a label")

        return check

    @classmethod
    def answered(cls, record: Record) -> bool:
        return best_answer(record) is not None

    def turns(self, record: Record) -> Any:
        """The conversation of a record, with the settings' prompt and system turn."""
        return conversation_of(record, self.asked.prompt, self.asked.system)

    def collate(self, records: Sequence[Record]) -> dict[str, Tensor]:
        """Inputs to learn from, see :meth:`ChatInputs.training`.

        Raises:
            InputError: an answer is missing or cannot be found; the message names the record.
        """
        conversations = [self.template.conversation(self.turns(record)) for record in records]
        return self.inputs.training(conversations, self._pictures(records))

    def _pictures(self, records: Sequence[Record]) -> list[list[Image.Image]]:
        store = self.images
        assert isinstance(store, WholePictures)
        return store.of_records(records)

    def prompts(self, records: Sequence[Record]) -> dict[str, Tensor]:
        """Inputs to generate the last answer of each record from, see :meth:`ChatInputs.prompts`."""
        texts = [self.template.prompt(question_of(self.turns(record))) for record in records]
        return self.inputs.prompts(texts, self._pictures(records))

    @torch.inference_mode()
    def answers(self, model: Any, records: Sequence[Record]) -> list[str]:
        """What the model answers to each record, by greedy decoding; the records are one batch."""
        prompts = on_device(self.prompts(records), model)
        written = model.generate(**prompts, max_new_tokens=self.asked.max_new_tokens, do_sample=False)
        new = written[:, prompts["input_ids"].shape[1] :]
        texts = self.processor.tokenizer.batch_decode(new, skip_special_tokens=True)
        return [text.strip() for text in texts]

    def measure(self, model: nn.Module, records: Sequence[Record], batch_size: int, title: str) -> Evaluation:
        order = sorted(range(len(records)), key=lambda row: len(records[row].text))
        said: dict[int, str] = {}
        loss = tokens = 0.0
        for rows in track([order[at : at + batch_size] for at in range(0, len(order), batch_size)], title):
            batch = [records[row] for row in rows]
            said.update(zip(rows, self.answers(model, batch), strict=True))
            if known := [record for record in batch if self.answered(record)]:
                inputs = self.collate(known)
                count = int((inputs["shift_labels"] != -100).sum())
                loss += float(model(**on_device(inputs, model)).loss) * count
                tokens += count
        predictions = tuple(said[row] for row in range(len(records)))
        scores = tuple(
            self.score(record, answer) if self.answered(record) else None
            for record, answer in zip(records, predictions, strict=True)
        )
        known_scores = [score for score in scores if score is not None]
        metrics = {self.metric: sum(known_scores) / len(known_scores)} if known_scores else {}
        unanswered = len(records) - len(known_scores)
        mean = loss / tokens if tokens else None
        return Evaluation(metrics, mean, len(known_scores), 0, predictions, scores, unanswered=unanswered)

    def score(self, record: Record, prediction: str) -> float:
        """1 for an accepted answer, whatever its case."""
        return float(prediction.casefold() in {answer.strip().casefold() for answer in self.accepted(record)})

    def best_answers(self, model: nn.Module, records: Sequence[Record], top: int) -> list[tuple[Answer, ...]]:
        return [(Answer(text),) for text in self.answers(model, records)]

    def accepted(self, record: Record) -> list[str]:
        if record.turns:
            answer = best_answer(record)
            return [] if answer is None else [answer]
        return sorted(record.answers) or list(record.captions)
