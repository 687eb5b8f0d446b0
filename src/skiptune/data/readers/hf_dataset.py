"""Hugging Face datasets on disk: written by ``save_to_disk``, a Parquet file, or a folder of such files, CSV, JSON or
images.

Needs the extra ``datasets``: ``pip install "skiptune[datasets]"``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import InputError
from ...core.extras import require_extra
from ...core.shown import shown
from ...core.validation import nearest
from ..pictures import Picture, Stored, open_table
from ..record import Record
from ..records import Records
from .collecting import Entry, Row, RowChecks, collect
from .columns import row_of, values_of
from .conversations.tags import with_usual_tags
from .json_text import parse
from .references import holds_images, is_image, referring
from .renaming import columns_of
from .row_to_record import row_record

if TYPE_CHECKING:
    from typing_extensions import Unpack

_ROWS = 256


def read_dataset(
    path: str | Path,
    split: str | None = None,
    columns: Mapping[str, str] | None = None,
    images: str | Path | None = None,
    require_answers: bool = True,
    **checks: Unpack[RowChecks],
) -> Records:
    """The rows of a dataset; images are a column of datasets' ``Image``, or of paths.

    Args:
        path: the folder, or a Parquet file.
        split: which part, when there are several.
        columns: our field to the dataset's column, only for fields whose column has another name, e.g.
            ``{"question": "text"}``; fields as in a JSON-lines file. Class labels are read by their names.
        images: the folder that paths are relative to; the dataset's own if not given.
        require_answers: whether a row without an answer or label is bad.
        checks: see :class:`skiptune.data.readers.collecting.RowChecks`.

    Raises:
        InputError: not a dataset, no such split or column, or too many rows are bad.
    """
    dataset = _load(Path(path), split)
    labels, task = checks.get("labels", ()), checks.get("task", "")
    names = columns_of(columns or {}, str(path), dataset.column_names, task)
    folder = Path(images) if images is not None else Path(path) if Path(path).is_dir() else Path(path).parent

    def picture(row: Row, name: str) -> Picture:
        value = row.get(name)
        if isinstance(value, Stored):
            return value
        if not isinstance(value, str) or not value.strip():
            raise InputError(f"{name}: {shown(value)} is neither an image nor a path")
        return folder / value

    def make(row: Any) -> list[Record]:
        return [row_record(with_usual_tags(row, columns or {}), picture, require_answers, labels, task)]

    return collect(str(path), _entries(dataset, names), make, **checks)


def load_splits(path: Path) -> dict[str, Any]:
    """The splits of a dataset by name; a dataset without any is one with an empty name.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    require_extra("datasets", "datasets")
    import datasets

    alone = path.suffix.lower() == ".parquet" and path.is_file()
    if not (alone or path.is_dir()):
        raise InputError(f"{path}: no such dataset folder")
    saved = (path / "state.json").exists() or (path / "dataset_dict.json").exists()
    shown = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        if alone:
            found = datasets.load_dataset("parquet", data_files=str(path))
        else:
            found = datasets.load_from_disk(str(path)) if saved else datasets.load_dataset(str(path))
    except Exception as error:  # readers raise many kinds of exceptions
        reason = str(error.__cause__ or error)  # of a damaged file datasets itself says only that it failed
        raise InputError(f"{path}: datasets cannot read it ({' '.join(reason.split())})") from None
    finally:
        if shown:
            datasets.enable_progress_bars()
    return dict(found) if isinstance(found, dict) else {"": found}


def _load(path: Path, split: str | None) -> Any:
    found = load_splits(path)
    if list(found) == [""] or (split is None and len(found) == 1):
        return next(iter(found.values()))
    if split is None:
        raise InputError(
            f"split: missing; {path} has {', '.join(found)}; name the one to read (data.split, or --split)"
        )
    if split not in found:
        raise InputError(f"split: {split!r} of {path}{nearest(str(split), found)}")
    return found[split]


def _entries(dataset: Any, names: dict[str, str]) -> Iterator[Entry]:
    """Rows by our field names, with images as references to where they are stored."""
    labels = {name: found for name, column in names.items() if (found := classes_of(dataset.features[column]))}
    written = {name for name, column in names.items() if type(dataset.features[column]).__name__ == "Json"}
    number = 0
    for file in dataset.cache_files:
        table = open_table(str(file["filename"])).select(list(names.values())).rename_columns(list(names))
        for start in range(0, table.num_rows, _ROWS):
            chunk = table.slice(start, _ROWS)
            values = {name: _values(chunk, name, str(file["filename"]), names[name], start) for name in names}
            for place in range(chunk.num_rows):
                row = {name: column[place] for name, column in values.items()}
                for name, classes in labels.items():
                    row[name] = named(row[name], classes)
                for name in written:
                    row[name] = _read(row[name])
                for name in row.keys() & {"answers", "labels"}:
                    row[name] = counted(row[name])
                yield f"row {number}", row_of(row)
                number += 1


def counted(answers: Any) -> Any:
    """Answers with their counts as a mapping."""
    if isinstance(answers, str) and answers.startswith("{"):  # in a file without its features
        return _read(answers)
    if isinstance(answers, dict):  # a struct has every answer of the table as a field
        return {answer: count for answer, count in answers.items() if count is not None}
    return answers


def _read(value: Any) -> Any:
    """A value that newer datasets keep as JSON, as mappings and columns of several types; or its problem."""
    try:
        return parse(value) if isinstance(value, str) else value
    except InputError as error:
        return error


def named(value: Any, classes: Sequence[str]) -> Any:
    """A class or several by their names; datasets writes -1 where there is no label."""
    if isinstance(value, list):
        return [named(entry, classes) for entry in value]
    if isinstance(value, int):
        return classes[value] if 0 <= value < len(classes) else None
    return value


def _values(chunk: Any, name: str, file: str, column: str, start: int) -> list[Any]:
    """A column's values; for images with bytes, references to them."""
    import pyarrow.compute as pc

    values = chunk.column(name)
    if not holds_images(values.type):
        return values_of(values)
    if not is_image(values.type):
        return [referring(value, partial(Stored, file, column, start + place)) for place, value in enumerate(values)]
    held = pc.is_valid(pc.struct_field(values, "bytes")).to_pylist()
    paths = values_of(pc.struct_field(values, "path"))
    return [
        Stored(file, column, start + place) if inside else path
        for place, (inside, path) in enumerate(zip(held, paths, strict=True))
    ]


def classes_of(feature: Any) -> Sequence[str]:
    """The names of a column's classes, also where every row has a list of them; empty for other columns."""
    feature = getattr(feature, "feature", feature)
    return tuple(feature.names) if type(feature).__name__ == "ClassLabel" else ()
