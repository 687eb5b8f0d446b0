"""One example of a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..core.errors import InputError
from . import record_fields as fields
from .pictures import Picture
from .turns import Turn, turns

#: Field → the function that checks it.
_CHECKS = {
    "image": fields.picture,
    "text": fields.text,
    "answers": fields.scores,
    "image2": fields.picture,
    "label": fields.label,
    "labels": fields.labels,
    "value": fields.number,
    "captions": fields.captions,
    "given": fields.texts,
    "majority": fields.text,
    "id": fields.identifier,
    "group": fields.identifier,
    "turns": turns,
    "further": fields.pictures,
    "options": fields.captions,
}


@dataclass(frozen=True)
class Record:
    """One example.

    Visual question answering uses ``image``, ``text`` and ``answers``; reasoning over pairs ``image``, ``image2``,
    ``text`` and ``label``; entailment ``image``, ``text`` and ``label``; retrieval ``image`` and ``captions``;
    classification ``image``, ``label`` or ``labels``, and regression ``image`` and ``value``, both with or without
    ``text``. Generation uses ``turns``, or what question answering or retrieval use; its images may be several or none.

    Every field is checked. A text for an image is the path of a file, and a whole number for ``id`` its digits.

    Attributes:
        image: where the image is; ``None``: there is none, which only generation takes.
        text: question, sentence or hypothesis.
        answers: accepted answers with their scores in (0, 1]; empty when none is known.
        image2: the second image of a pair.
        label: 0 or 1 (false, true) for reasoning; 0, 1, 2 (contradiction, neutral, entailment) for entailment; the
            name or the number of a class for classification.
        captions: texts that all describe the image.
        given: what each annotator answered, for the official accuracy.
        majority: the answer most annotators gave, as published; vocabularies count it.
        id: the data set's own identifier, e.g. VQAv2's question id.
        group: examples of one group stay in one part of a split; empty: only shared images count.
        place: the file and the row that it was read from, for messages; records that differ in it alone are equal.
        labels: of classification with several labels a record: those that apply, with scores in (0, 1]. A list stands
            for labels of score 1. Empty: none applies; ``None``: not known.
        value: the number that regression learns.
        epoch: the pass over the data that the record is taken in: what a task draws for it depends on this, and is the
            same in every batch. A training sets it.
        turns: a conversation; as many images stand in it as the record has.
        further: images of a conversation after the first.
        options: of a question with several choices: the texts to choose from.

    Raises:
        InputError: a field holds what it cannot; the message names it.
    """

    image: Picture | None
    text: str = ""
    answers: dict[str, float] = field(default_factory=dict)
    image2: Picture | None = None
    label: int | str | None = None
    captions: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    majority: str = ""
    id: str = ""
    group: str = ""
    place: str = field(default="", compare=False)
    epoch: int = 0
    labels: dict[str, float] | None = None
    value: float | None = None
    turns: tuple[Turn, ...] = ()
    further: tuple[Picture, ...] = ()
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, checked in _CHECKS.items():
            given = getattr(self, name)
            found = checked(given, name)
            if found is not given:
                object.__setattr__(self, name, found)

    @property
    def question(self) -> str:
        """The text, as visual question answering calls it; of a conversation, what the user says last."""
        if not self.turns:
            return self.text
        return next((turn.text.strip() for turn in reversed(self.turns) if turn.role == "user"), "")

    @property
    def picture(self) -> Picture:
        """The image of a record that has one.

        Raises:
            InputError: it has none.
        """
        if self.image is None:
            raise InputError("image: this record has none")
        return self.image

    @property
    def images(self) -> tuple[Picture, ...]:
        """All images, in their order."""
        return tuple(picture for picture in (self.image, self.image2, *self.further) if picture is not None)


def check_kind(records: object, name: str = "records") -> None:
    """Refuse what is no sequence of records. Of a table, whose records are made on access, the first one is looked at.

    Raises:
        InputError: says what was given as ``name``.
    """
    fine = isinstance(records, Sequence) and not isinstance(records, str)
    if isinstance(records, list | tuple):
        fine = all(isinstance(record, Record) for record in records)
    elif isinstance(records, Sequence) and fine and records:
        fine = isinstance(records[0], Record)
    if not fine:
        raise InputError(f"{name}: {type(records).__name__} given; expected rows or records")
