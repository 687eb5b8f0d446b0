"""All checks of all parts, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..core.progress import track
from ..tasks.generation.task import Generation
from ..tasks.generation.template import DATED
from ..tasks.task import Task
from .answer_checks import Answers, AnswerSummary
from .bad_rows import kind_of
from .chat_inputs import ChatCheck
from .checked_part import CheckedPart
from .finding import Findings
from .model_view import ModelView
from .picture_checks import Pictures
from .repeats import Repeats
from .report import DataReport, PartReport
from .said import said_by
from .shared import compare_labels, compare_parts
from .shown_rows import show_rows
from .text_inputs import InputCheck
from .texts import TextCheck
from .unknown_tokens import UnknownTokens

#: Rows of a part whose images are decoded and that go through the model's processor.
MOST_ROWS = 10_000
#: Rows that are shown.
SHOWN = 10


@dataclass(frozen=True)
class Depth:
    """How much is looked at.

    Attributes:
        rows: of a part, at most, whose images are decoded and that go through the model's processor.
        show: how many rows are shown as the model sees them.
    """

    rows: int = MOST_ROWS
    show: int = SHOWN


class Examination:
    """Looks at the parts of data.

    Args:
        task: with a model's processor; ``None``: nothing goes through a model.
        depth: how much is looked at.
        findings: what is known already, to which all else is added.
    """

    def __init__(self, task: Task | None, depth: Depth, findings: Findings) -> None:
        self.task, self.depth, self.findings = task, depth, findings
        self.pictures = Pictures(task.asked.max_pixels if isinstance(task, Generation) else None)
        self.repeats: dict[str, Repeats] = {}
        self.answers: dict[str, Answers] = {}
        self._tokenizer = getattr(getattr(task, "processor", None), "tokenizer", None)
        self._texts = TextCheck(_special_tokens(self._tokenizer))

    def look_at(self, parts: Sequence[CheckedPart], model: str, task: str) -> DataReport:
        """The report of all parts."""
        if isinstance(self.task, Generation) and self.task.template.dated and parts:
            self.findings.add("dated_template", parts[0].name, model or "the model", DATED)
            self.findings.looked_at(("dated_template",), parts[0].name, 1)
        samples = {part.name: part.sample(self.depth.rows) for part in parts}
        looked_at = {part.name: self.pictures.look_at(samples[part.name], self.findings) for part in parts}
        self.pictures.compare(picture for part in parts for picture in part.records.pictures())
        summaries = {part.name: self._rows(part) for part in parts}
        views = {part.name: self._through_the_model(samples[part.name]) for part in parts}
        compare_parts(self.repeats, self.findings)
        compare_labels(self.answers, self.findings)
        reports = tuple(
            PartReport(
                part.name,
                part.source,
                part.rows,
                len(part.records),
                len(self.repeats[part.name].images),
                looked_at[part.name],
                views[part.name],
                summaries[part.name],
            )
            for part in parts
        )
        shown = show_rows(parts[0], self.task, self.depth.show) if parts else ()
        return DataReport(task, model, reports, self.findings.finish({part.name: part.rows for part in parts}), shown)

    def _rows(self, part: CheckedPart) -> AnswerSummary | None:
        """The checks of every row by itself and beside the others."""
        self._left_out(part)
        repeats, answers = Repeats(part.name, self.pictures), Answers(part.name)
        unknown = UnknownTokens(self._tokenizer if isinstance(self.task, Generation) else None)
        self.repeats[part.name], self.answers[part.name] = repeats, answers
        asked_alone = []
        for place, record in track(_Sized(part), "rows"):
            said = said_by(record)
            for kind, told in self._texts.problems(record, said):
                self.findings.add(kind, part.name, place, told)
            repeats.add(place, record, said, self.findings)
            answers.add(place, record, said)
            unknown.add(place, said)
            if self.task is not None and not self.task.answered(record):
                asked_alone.append(place)
        if part.name == "train" or len(asked_alone) < len(part.records):
            for place in asked_alone:
                self.findings.add("no_answer", part.name, place, "nothing is learnt from it, or measured")
        unknown.finish(part.name, self.findings)
        repeats.finish(self.findings)
        return answers.finish(self.findings)

    def _left_out(self, part: CheckedPart) -> None:
        for told in part.bad:
            place, _, message = told.partition(": ")
            self.findings.add(kind_of(message), part.name, f"{part.source}, {place}", message)
        for number in range(part.unlabelled):
            self.findings.add("unlabelled", part.name, f"{part.source}, row {number + 1}", "no label")

    def _through_the_model(self, part: CheckedPart) -> ModelView | None:
        if self.task is None:
            return None
        if isinstance(self.task, Generation):
            return ChatCheck(self.task, self.pictures).look_at(part, self.findings)
        return InputCheck(self.task, self.pictures).look_at(part, self.findings)


class _Sized:
    """The rows of a part, with their number for a progress bar."""

    def __init__(self, part: CheckedPart) -> None:
        self._part = part

    def __len__(self) -> int:
        return len(self._part.records)

    def __iter__(self) -> Any:
        return self._part.placed()


def _special_tokens(tokenizer: Any) -> list[str]:
    return [] if tokenizer is None else list(tokenizer.all_special_tokens)
