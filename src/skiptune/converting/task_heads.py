"""Task heads of a checkpoint: which there are, the class of a model with one, and the names of its labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedModel

from ..core.errors import InputError
from ..core.text_files import read_json
from ..core.validation import is_number
from ..families.family import Family
from .layout import Layout, OriginalWeights

#: The task of a model without a head.
PRETRAINED = "pretrained"
TASKS = ("vqa", "reasoning", "retrieval", "entailment", PRETRAINED)


@dataclass(frozen=True)
class Labels:
    """The labels of a head's outputs.

    Attributes:
        count: number of outputs; ``None`` without a classifier.
        names: of the labels, in order; empty if they are not known.
    """

    count: int | None = None
    names: tuple[str, ...] = ()

    def fields(self) -> dict[str, object]:
        """The fields of a configuration; none without a classifier."""
        if self.count is None:
            return {}
        if not self.names:
            return {"num_labels": self.count}
        names = dict(enumerate(self.names))
        return {"num_labels": self.count, "id2label": names, "label2id": {text: k for k, text in names.items()}}


def tasks_of(layout: Layout, family: Family, weights: OriginalWeights) -> tuple[str, ...]:
    """The tasks whose heads are in the checkpoint."""
    return tuple(task for task, kind in family.model_classes.items() if layout.head_of.get(kind) in weights.heads)


def only_task(layout: Layout, family: Family, weights: OriginalWeights) -> str:
    """The task of the only head; ``pretrained`` if there is none.

    Raises:
        InputError: heads of several tasks.
    """
    tasks = tasks_of(layout, family, weights)
    if len(tasks) > 1:
        raise InputError(f"heads of several tasks are in it: {', '.join(tasks)}; choose one with --task")
    return tasks[0] if tasks else PRETRAINED


def model_class_for(layout: Layout, family: Family, task: str, weights: OriginalWeights) -> type[PreTrainedModel]:
    """The class of a model for a task.

    Raises:
        InputError: the checkpoint has no head for it.
    """
    if task == PRETRAINED:
        return next(kind for kind, head in layout.head_of.items() if head is None)
    model_class = family.model_class(task)
    # a rank head can be made from the one for matching
    if layout.head_of.get(model_class) not in weights.heads and not (task == "retrieval" and "itm" in weights.heads):
        found = ", ".join(tasks_of(layout, family, weights)) or "none"
        raise InputError(
            f"task {task!r}: there is no head for it; tasks with a head: {found}. --task {PRETRAINED} converts the "
            "model without a head"
        )
    return model_class


def keeps_matching(family: Family, task: str, weights: OriginalWeights) -> bool:
    """Whether the matching head is kept beside the rank head, for training with its loss."""
    return task == "retrieval" and family.matching and "itm" in weights.heads


def labels_of(head: str | None, weights: OriginalWeights, answers: str | Path | None) -> Labels:
    """The labels of a classifier, with their names if ``answers``, a JSON file, gives them.

    Raises:
        InputError: answers for a head that has none, or not those of this head.
    """
    last = weights.heads.get(head or "", {}).get("classifier.3.weight")
    if answers is not None and (head != "vqa" or last is None):
        raise InputError("answers: only a VQA head has answers; leave --answers off")
    if last is None:
        return Labels()
    return Labels(len(last), () if answers is None else tuple(_read_answers(Path(answers), len(last))))


def _read_answers(path: Path, count: int) -> list[str]:
    """The answers in label order."""
    content = read_json(path)
    if isinstance(content, dict):
        by_label = {label: answer for answer, label in content.items() if is_number(label, 0, whole=True)}
        content = [by_label.get(label) for label in range(len(content))]
    good = isinstance(content, list) and all(isinstance(answer, str) for answer in content)
    if not good or len(set(content)) != count or len(content) != count:
        raise InputError(
            f"{path}: expected a list of {count} different answers in label order, or a mapping from each to its label"
        )
    return list(content)
