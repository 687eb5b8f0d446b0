"""The rows of a ``datasets.Dataset`` in Python; a picture is read from it when it is needed, and never kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import InputError
from ..held_pictures import Content, Held, PictureSource, steps_of
from .collecting import Entry, Row
from .columns import row_of, values_of
from .conversations.tags import with_usual_tags
from .hf_dataset import classes_of, counted, named
from .plain_rows import content_of
from .references import at, holds_images, is_list, referring
from .renaming import columns_of

_ROWS = 256
_IMAGES = ("image", "image2")


def is_dataset(data: object) -> bool:
    """Whether it is a ``datasets.Dataset``."""
    return type(data).__module__.startswith("datasets.") and hasattr(data, "features") and hasattr(data, "cache_files")


class DatasetPictures(PictureSource):
    """The pictures in the rows of a dataset, as they are stored; a transform of the user's is obeyed.

    Args:
        dataset: the dataset.
        folder: that paths are relative to; ``None``: the working directory.
    """

    name = "in the dataset"

    def __init__(self, dataset: Any, folder: Path | None) -> None:
        self._changed = _is_changed(dataset)
        self._rows = dataset if self._changed else dataset.with_format("arrow")
        self._folder = folder

    def content(self, column: str, row: int, inside: str = "") -> Content:
        if self._changed:
            value = self._rows[row][column]
        else:
            value = self._rows.select_columns([column])[row].column(0)[0].as_py()
        return content_of(at(value, steps_of(inside)), self._folder)


def dataset_entries(dataset: Any, columns: Mapping[str, str], folder: Path | None, task: str = "") -> Iterator[Entry]:
    """The rows with their places, by our names of fields; pictures are references.

    Raises:
        InputError: no such column, or no column of images.
    """
    names = columns_of(columns, "the dataset", dataset.column_names, task)
    pictures = DatasetPictures(dataset, folder)
    images = {name: column for name, column in names.items() if name in _IMAGES and not _is_list(dataset, column)}
    there = {name: _is_there(dataset, column) for name, column in images.items()}
    texts = {name: column for name, column in names.items() if name not in images}
    for number, row in enumerate(_text_rows(dataset, texts, pictures)):
        if isinstance(row, dict):
            held = {name: Held(pictures, column, number) for name, column in images.items() if there[name][number]}
            row = with_usual_tags({**row, **held}, columns)
        yield f"row {number}", row


def _text_rows(dataset: Any, names: Mapping[str, str], pictures: DatasetPictures) -> Iterator[Row | InputError]:
    """The values of all fields but single images; a problem in place of a row that cannot be read."""
    if _is_changed(dataset):
        for number in range(len(dataset)):
            row = dataset[number]
            texts = {name: row[column] for name, column in names.items()}
            if isinstance(texts.get("images"), list | tuple):
                held = partial(Held, pictures, names["images"], number)
                texts["images"] = [held(str(place)) for place in range(len(texts["images"]))]
            yield texts
        return
    if not names:
        yield from ({} for _ in range(len(dataset)))
        return
    classes = {name: found for name, column in names.items() if (found := classes_of(dataset.features[column]))}
    table = dataset.select_columns(list(names.values())).with_format("arrow")
    for start in range(0, len(dataset), _ROWS):
        chunk = table[start : start + _ROWS]
        values = {name: _values(chunk.column(column), pictures, column, start) for name, column in names.items()}
        for entry in zip(*values.values(), strict=True):
            row = dict(zip(values, entry, strict=True))
            row.update({name: named(row[name], found) for name, found in classes.items()})
            row.update({name: counted(row[name]) for name in row.keys() & {"answers", "labels"}})
            yield row_of(row)


def _values(values: Any, pictures: DatasetPictures, column: str, start: int) -> list[Any]:
    """A column's values, with references in place of the images in them."""
    if not holds_images(values.type):
        return values_of(values)
    return [referring(value, partial(Held, pictures, column, start + place)) for place, value in enumerate(values)]


def _is_list(dataset: Any, column: str) -> bool:
    """Whether a column holds several images a row."""
    return not _is_changed(dataset) and is_list(dataset.data.column(column).type)


def _is_there(dataset: Any, column: str) -> np.ndarray:
    """For every row, whether it has a picture; none is read for that."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if _is_changed(dataset):
        return np.ones(len(dataset), dtype=bool)
    values = dataset.data.column(column)
    valid = pc.is_valid(values)
    if pa.types.is_struct(values.type):
        inside = [pc.is_valid(pc.struct_field(values, field.name)) for field in values.type]
        valid = pc.and_(valid, pc.or_(inside[0], inside[-1]))
    found = np.asarray(valid.to_numpy(), dtype=bool)
    chosen = getattr(dataset, "_indices", None)  # of datasets that were shuffled or filtered
    return found if chosen is None else found[chosen.column(0).to_numpy()]


def _is_changed(dataset: Any) -> bool:
    """Whether the user has set a transform of rows."""
    return bool(dataset.format["type"] == "custom")
