"""The fields of a row under the names that people give them, and the task they are for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..core.errors import InputError
from ..data.readers.values import label_of
from ..tasks.task_names import TaskName

#: Our field → other usual names of it.
_NAMES: Mapping[str, Sequence[str]] = {
    "image": (
        *("image_path", "img_path", "image_file", "image_name", "img", "file_name", "filename", "picture", "photo"),
        *("image1", "image_1", "file", "path", "image_id"),
    ),
    "image2": ("image_2", "img2", "second_image"),
    "question": ("query", "prompt", "question_text"),
    "answers": ("replies",),
    "answer": ("reply", "response", "answer_text", "multiple_choice_answer"),
    "sentence": ("statement", "hypothesis", "claim"),
    "captions": ("descriptions",),
    "caption": ("description", "title"),
    "labels": ("classes", "tags"),
    "label": ("class", "category", "class_name", "target", "gold_label"),
    "value": ("score", "rating", "number"),
}
_ENTAILMENT = ("contradiction", "neutral", "entailment")


def column_names(names: Iterable[str]) -> dict[str, str]:
    """Our field → the name that it has among ``names``, for fields with another one there."""
    given = {_plain(name): name for name in names}
    found: dict[str, str] = {}
    for name, others in _NAMES.items():
        usual = next((given[other] for other in (name, *others) if other in given), None)
        if usual is not None and usual != name and usual not in found.values():
            found[name] = usual
    if "question" not in {*given, *found} and {"answer", "answers"} & {*given, *found} and "text" in given:
        found["question"] = given["text"]
    return found


def _plain(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(" ", "_")


def task_of_rows(rows: Sequence[Mapping[str, object]]) -> TaskName | None:
    """The task that rows with our names of fields are for; ``None``: of no task."""
    named = {name for row in rows for name, value in row.items() if value is not None}
    if named & {"caption", "captions"}:
        return "retrieval"
    if "question" in named:
        return "vqa"
    if "sentence" in named:
        return "entailment" if _is_entailment([row.get("label") for row in rows]) else "reasoning"
    if "value" in named:
        return "regression"
    return "classification" if named & {"label", "labels"} else None


def _is_entailment(labels: Sequence[object]) -> bool:
    """Whether labels are those of entailment, of which the third is no truth value."""
    for label in labels:
        try:
            label_of(label, ("false", "true"))
        except InputError:
            try:
                label_of(label, _ENTAILMENT)
            except InputError:
                continue
            return True
    return False
