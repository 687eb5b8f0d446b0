"""What a visitor fills in, by task: models of one task are asked together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..tasks.generation.task import Generation
from ..tasks.task import Task
from .shown_model import ShownModel


@dataclass(frozen=True)
class Form:
    """The models of one task and how they are asked.

    Attributes:
        task: its name.
        title: above it.
        models: that answer.
        label: of the field for the text.
        example: a text that could stand there.
        lines: of that field.
        pictures: how many the task is about.
    """

    task: str
    title: str
    models: tuple[ShownModel, ...]
    label: str
    example: str
    lines: int = 1
    pictures: int = 1

    @property
    def writes(self) -> bool:
        """Whether its models write their answers."""
        return isinstance(self.models[0].pipeline.task, Generation)

    @property
    def takes_two(self) -> bool:
        """Whether a second picture can be given."""
        return self.writes or self.pictures > 1


#: Title, label of the text, and an example of it.
_WORDS = {
    "vqa": ("Question answering", "Question", "what is on the table?"),
    "reasoning": ("Reasoning", "Statement about the pictures", "both pictures show a dog"),
    "entailment": ("Entailment", "Statement that the picture may show", "a man is asleep"),
    "retrieval": ("Captions", "Captions to compare, one a line", "a dog in the snow"),
    "classification": ("Classification", "Text that goes with the picture, if there is one", ""),
    "regression": ("A number for a picture", "Text that goes with the picture, if there is one", ""),
    "generation": ("Written answers", "Question or instruction", "describe the picture"),
}
_LINES = {"retrieval": 4, "generation": 2}


def forms(models: Sequence[ShownModel]) -> list[Form]:
    """A form for each task, in the order of the first model of it."""
    groups: dict[tuple[str, int], list[ShownModel]] = {}
    for model in models:
        groups.setdefault((model.pipeline.task.name, model.pipeline.task.number), []).append(model)
    return [_form(number, group) for (_, number), group in groups.items()]


def _form(number: int, models: Sequence[ShownModel]) -> Form:
    task: Task = models[0].pipeline.task
    title, label, example = _WORDS.get(task.name, (task.name, "Text", ""))
    return Form(task.name, title, tuple(models), label, example, _LINES.get(task.name, 1), number)
