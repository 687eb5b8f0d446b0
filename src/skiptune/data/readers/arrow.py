"""The Arrow tables that the released code of ViLT and METER makes of VQAv2, NLVR2, Flickr30k, COCO and SNLI-VE.

A row has one image, as encoded bytes, and lists of all texts about it. Each list element becomes a record (for
captions, the whole row). Images are decoded from the mapped file when they are used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import InputError
from ...core.shown import shown
from ..answers import answer_text
from ..pictures import Stored, open_table
from ..record import Record
from ..records import Records
from .collecting import Entry, Row, RowChecks, collect
from .columns import rows_of
from .row_to_record import row_record
from .values import id_of, label_of, text_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

_ROWS = 256
#: Text columns by which a table's task is recognised.
_TASKS = {
    "vqa": ("questions", "answers", "answer_scores", "question_id"),
    "pairs": ("questions", "answers", "identifier"),
    "captions": ("caption",),
    "entailment": ("sentences", "labels"),
}
#: Columns of a table that is no released one; its rows have the fields of a JSON-lines file.
_OWN = ("question", "answer", "answers", "sentence", "label", "captions", "labels", "value", "text", "id", "group")


def read_arrow(
    paths: str | Path | Sequence[str | Path], require_answers: bool = True, **checks: Unpack[RowChecks]
) -> Records:
    """The records of one or more tables of one task, e.g. ``vqav2_train.arrow`` and ``vqav2_trainable_val.arrow``.

    Args:
        paths: the tables.
        require_answers: of tables of your own, whether a row without an answer or label is bad.
        checks: see :class:`skiptune.data.readers.collecting.RowChecks`.

    Raises:
        InputError: a file is missing or not such a table, or too many records are bad.
    """
    files = [str(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    labels, task = checks.get("labels", ()), checks.get("task", "")

    def make(entry: Any) -> list[Record]:
        own = not isinstance(entry, _Maker)
        return [row_record(entry, _stored, require_answers, labels, task) if own else entry()]

    return collect(", ".join(files), _entries(files), make, **checks)


def released_vocabulary(paths: Sequence[str | Path]) -> list[str]:
    """Answers in the order of the labels that the tables carry: that of the question-answering head trained on them.

    Labels that occur in no table are left out; those behind them move up. Empty if a table carries no labels.

    Raises:
        InputError: a label has two answers.
    """
    names: dict[int, str] = {}
    columns = ("answers", "answer_labels")
    for path in map(str, paths):
        if not set(columns) <= set(open_table(path).column_names):
            return []
        for row in (row for rows in _slices(path, columns) for row in rows if isinstance(row, dict)):
            for answers, labels in zip(row["answers"] or (), row["answer_labels"] or (), strict=False):
                for answer, label in zip(answers or (), labels or (), strict=False):
                    if label is not None and names.setdefault(int(label), answer) != answer:
                        raise InputError(f"{path}: label {label} is both {names[label]!r} and {answer!r}")
    return [names[label] for label in sorted(names)]


def _entries(files: list[str]) -> Iterator[Entry]:
    """What makes each record, so that a bad one does not lose the others; of tables of one's own, the row."""
    for file in files:
        columns = open_table(file).column_names
        task = next((name for name, needed in _TASKS.items() if set(needed) <= set(columns)), None)
        if task is None and "image" in columns and set(_OWN) & set(columns):
            yield from _own_entries(file, columns)
            continue
        if task is None:
            raise InputError(f"{file}: columns {', '.join(columns)} are those of no task that is known")
        images = ("image_0", "image_1") if task == "pairs" else ("image",)
        if not set(images) <= set(columns):
            raise InputError(f"{file}: no column {' or '.join(images)}")
        number = 0
        texts = (*_TASKS[task], *(("image_id",) if task == "captions" and "image_id" in columns else ()))
        for rows in _slices(file, texts):
            for row in rows:
                pictures = [Stored(file, image, number) for image in images]
                if isinstance(row, InputError):
                    yield f"row {number}", row
                else:
                    for place, part in _parts(row, task):
                        yield f"row {number}{place}", _Maker(task, pictures, part)
                number += 1


def _own_entries(file: str, columns: Sequence[str]) -> Iterator[Entry]:
    """The rows of a table with our names of fields."""
    images = [name for name in ("image", "image2") if name in columns]
    number = 0
    for rows in _slices(file, [name for name in _OWN if name in columns]):
        for row in rows:
            if not isinstance(row, InputError):
                row = {**row, **{name: Stored(file, name, number) for name in images}}
            yield f"row {number}", row
            number += 1


def _stored(row: Row, name: str) -> Stored:
    found: Stored = row[name]
    if not found.size():
        raise InputError(f"image {found}: no bytes there")
    return found


def _slices(file: str, columns: Sequence[str]) -> Iterator[list[Row | InputError]]:
    """The rows of some columns, a few at a time; images are not touched."""
    table = open_table(file)
    if not set(columns) <= set(table.column_names):
        raise InputError(f"{file}: no column {' or '.join(sorted(set(columns) - set(table.column_names)))}")
    table = table.select(list(columns))
    for start in range(0, table.num_rows, _ROWS):
        yield rows_of(table.slice(start, _ROWS))


def _parts(row: Row, task: str) -> Iterator[tuple[str, Row]]:
    """The elements of a row. Columns that are empty (test tables have no answers) are left out."""
    if task == "captions":
        yield "", row
        return
    texts = row[_TASKS[task][0]]
    if texts is not None and not isinstance(texts, list):
        yield "", row
        return
    lists = {name: value for name, value in row.items() if isinstance(value, list) and value}
    for number in range(len(texts or ())):
        part = {name: value[number] if number < len(value) else None for name, value in lists.items()}
        yield f", element {number}", {**part, "identifier": row.get("identifier")}


class _Maker:
    """One element of a row, not checked yet."""

    def __init__(self, task: str, pictures: list[Stored], part: Row) -> None:
        self.task, self.pictures, self.part = task, pictures, part

    def __call__(self) -> Record:
        for picture in self.pictures:
            if not picture.size():
                raise InputError(f"image {picture}: no bytes there")
        return getattr(self, f"_{self.task}")(self.part)  # type: ignore[no-any-return]

    def _vqa(self, part: Row) -> Record:
        answers, scores = part.get("answers") or [], part.get("answer_scores") or []
        if len(answers) != len(scores):
            raise InputError(f"answers: {len(answers)} with {len(scores)} answer_scores")
        pairs = ((answer_text(answer, "answers"), score) for answer, score in zip(answers, scores, strict=True))
        known = {answer: score for answer, score in pairs if score != 0}
        return Record(self.pictures[0], text_of(part, "questions"), known, id=id_of(part, "question_id"))

    def _pairs(self, part: Row) -> Record:
        pair, label = id_of(part, "identifier"), label_of(part.get("answers"), ("false", "true"))
        group = "-".join(pair.split("-")[:2])
        first, second = self.pictures
        return Record(first, text_of(part, "questions"), image2=second, label=label, id=pair, group=group)

    def _captions(self, part: Row) -> Record:
        captions = part["caption"]
        if not isinstance(captions, list) or not captions:
            raise InputError(f"caption: {shown(captions)} is not a list of texts")
        found = tuple(text_of({"caption": caption}, "caption") for caption in captions)
        return Record(self.pictures[0], captions=found, id=id_of(part, "image_id"))

    def _entailment(self, part: Row) -> Record:
        sentences = part["sentences"]  # premise, which is the photograph's caption and not used, and hypothesis
        text = sentences[-1] if isinstance(sentences, list) and sentences else sentences
        label = label_of(part.get("labels"), ("contradiction", "neutral", "entailment"))
        return Record(self.pictures[0], text_of({"sentences": text}, "sentences"), label=label)
