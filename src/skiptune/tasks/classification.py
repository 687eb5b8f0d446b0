"""Classification: which of the labels in the data belong to an image, with or without a text; one label, or several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from ..core.errors import InputError
from ..data.record import Record
from .activation import Activation
from .answer import Answer
from .evaluation_result import Evaluation
from .head_start import start_at_frequencies
from .label_rules import UNKNOWN, LabelRule, OneLabel, SeveralLabels, Truth
from .one_text import OneTextTask, text_options
from .priors import answer_priors
from .task import Check, ConfigFields, on_device, refuse_unless
from .task_settings import TaskSettings


class Classification(OneTextTask):
    """Labels of an image, or of an image and a text.

    With one label a record, its ``label``, the loss is cross-entropy and the headline is accuracy. With several, its
    ``labels`` and their scores, the loss is binary cross-entropy, a label is given from a probability of one half on,
    and the headline is F1, averaged over the records.

    Args:
        processor: of the model.
        answers: names of the labels, in order.
        several: whether a record may have several labels, or none.
        text: whether the model reads texts; only CLIP and SigLIP have models of images alone.

    Raises:
        InputError: fewer than two labels (or none, where there may be several), or one of them twice.
    """

    name = "classification"
    unit = "examples"
    needs_text = False

    def __init__(self, processor: Any, answers: Sequence[str], several: bool = False, text: bool = True) -> None:
        if isinstance(answers, str):
            raise InputError(f"labels: {answers!r} is one text; expected a list of names")
        if len(answers) < (1 if several else 2) or len(set(answers)) != len(answers):
            least = "one" if several else "two different ones"
            raise InputError(f"labels: {len(answers)} given; at least {least} must be there, none twice")
        super().__init__(processor)
        self.answers, self.several, self.text = tuple(answers), several, text
        self.numbers = {answer: label for label, answer in enumerate(self.answers)}
        self.rule: LabelRule = SeveralLabels() if several else OneLabel()
        self.metric = self.rule.metric

    @classmethod
    def from_checked(cls, processor: Any, records: Sequence[Record], least: int = 1, **options: Any) -> Classification:
        """The labels given at least ``least`` times: numbers in their order, names sorted. Several labels a record,
        if any record has ``labels`` instead of a ``label``."""
        counts = Counter(label for record in records for label in _names(record))
        found = [label for label, count in counts.items() if count >= least]
        several, text = any(record.labels is not None for record in records), text_options(cls, processor, records)
        return cls(processor, _in_order(found), several, **{**text, **options})

    @property
    def activation(self) -> Activation:
        return self.rule.activation

    def settings(self) -> TaskSettings:
        return {"answers": list(self.answers), "several": self.several, **self.text_settings()}

    def model_changes(self) -> ConfigFields:
        names = {"id2label": dict(enumerate(self.answers)), "label2id": self.numbers}
        return {"num_labels": len(self.answers), **names, "problem_type": self.rule.problem_type, **self.text_changes()}

    @classmethod
    def checker(cls) -> Check:
        def check(record: Record) -> None:
            refuse_unless(not record.answers and not record.captions, cls.name, "a label, not answers or captions")
            refuse_unless(record.value is None, cls.name, "a label, not a value")
            refuse_unless(record.image2 is None, cls.name, "one image")

        return check

    @classmethod
    def answered(cls, record: Record) -> bool:
        return record.label is not None or record.labels is not None

    def start_head(self, model: nn.Module, records: Sequence[Record]) -> None:
        """Several labels: start a fresh head with each as likely as it is. In place."""
        if self.several:
            start_at_frequencies(model, records, self.labels)

    def labels(self, records: Sequence[Record]) -> Tensor:
        """Class numbers ``(batch,)``, or the scores of all classes ``(batch, classes)``."""
        return self.rule.targets([self._truth(record) for record in records], len(self.answers))

    def measure(self, model: nn.Module, records: Sequence[Record], batch_size: int, title: str) -> Evaluation:
        def keep(logits: Tensor) -> list[np.ndarray]:
            return list(self.rule.probabilities(logits).float().cpu().numpy())

        found = self.outputs(model, records, batch_size, title, keep)
        chosen = [self.rule.chosen(row) for row in found.kept]
        truths = [self._truth(record) for record in records]
        scores: list[float | None] = [None] * len(records)
        for row in found.known:
            scores[row] = self.rule.score(chosen[row], truths[row])
        known = [truths[row] for row in found.known]
        metrics = self.rule.metrics(np.stack([found.kept[row] for row in found.known]), known) if known else {}
        return Evaluation(
            metrics,
            found.loss,
            len(known),
            sum(bool(truth) and set(truth) == {UNKNOWN} for truth in known),
            tuple(", ".join(self.answers[label] for label in labels) for labels in chosen),
            tuple(scores),
            unanswered=len(records) - len(known),
        )

    def priors(self, train: Sequence[Record], records: Sequence[Record]) -> dict[str, tuple[float, ...]]:
        """The most frequent label, or set of labels, over all texts and by text."""
        measured = [record for record in records if self.answered(record)]
        return answer_priors(
            [record for record in train if self.answered(record)],
            measured,
            lambda record: {given: 1.0 for given in [self.rule.given(self._truth(record))] if UNKNOWN not in given},
            lambda record, given: self.rule.score(given, self._truth(record)),
        )

    def answers_to(
        self, model: nn.Module, records: Sequence[Record], inputs: dict[str, Tensor], top: int
    ) -> list[tuple[Answer, ...]]:
        logits = model(**on_device(inputs, model)).logits
        best: Any = self.rule.probabilities(logits).topk(min(top, len(self.answers)))
        return [
            tuple(Answer(self.answers[label], probability=value) for value, label in zip(*row, strict=True))
            for row in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        ]

    def accepted(self, record: Record) -> list[str]:
        return sorted(_names(record))

    def _truth(self, record: Record) -> Truth:
        return {self.numbers.get(label, UNKNOWN): score for label, score in _names(record).items()}


def _names(record: Record) -> dict[str, float]:
    """The names of a record's labels, with scores."""
    if record.labels is not None:
        return record.labels
    return {} if record.label is None else {str(record.label): 1.0}


def _in_order(labels: Iterable[str]) -> list[str]:
    """Whole numbers by value, if all are; else sorted as texts."""
    found = list(labels)
    try:
        return sorted(found, key=int)
    except ValueError:
        return sorted(found)
