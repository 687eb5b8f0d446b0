"""Hugging Face datasets on disk: what ``save_to_disk`` left, or a folder of Parquet files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..core.errors import InputError
from ..core.extras import require_extra
from ..data.data_config import field_of
from ..data.readers.hf_dataset import load_splits
from ..data.readers.references import holds_images
from ..data.readers.renaming import check_columns, renamed
from .conversation_rows import dialect_in
from .layout import Layout, part_of
from .own_rows import LOOKED_AT
from .row_names import column_names, task_of_rows


def hugging_face_dataset(folder: Path, given: Mapping[str, str]) -> Layout | None:
    """The dataset in ``folder``; ``None``: there is none.

    ``given``: our fields and the names of their columns, where they are not the usual ones.

    Raises:
        InputError: the extra ``datasets`` is not installed, or the dataset cannot be read or has no images.
    """
    saved = any((folder / name).is_file() for name in ("dataset_dict.json", "state.json"))
    if not saved and not any(folder.glob("*.parquet")) and not any(folder.glob("*/*.parquet")):
        return None
    require_extra("datasets", "datasets")
    splits = load_splits(folder)
    parts: dict[str, str] = {}
    for name in splits:
        parts.setdefault(part_of(name) or "", name)
    train = parts.pop("train", None) or next(iter(splits))
    found = splits[train]
    if dialect_in(list(_renamed(found, given))) is not None:
        check_columns(given, "--column", found.column_names, "generation")
        return _layout(folder, found, (train, parts, len(splits)), given, "generation")
    columns = column_names(found.column_names, given)
    if not {"image", "images"} & {*found.column_names, *columns}:
        raise InputError(
            f"{folder}: the dataset has no column image; it has {', '.join(found.column_names)}; "
            "give --column image=NAME"
        )
    task = task_of_rows(list(_renamed(found, columns)))
    return _layout(folder, found, (train, parts, len(splits)), columns, task)


def _layout(
    folder: Path, dataset: Any, chosen: tuple[str, Mapping[str, str], int], columns: Mapping[str, str], task: str | None
) -> Layout:
    """How the folder is read; ``chosen``: the split to train on, those of the parts, and how many there are."""
    train, parts, count = chosen
    data: dict[str, object] = {"name": "dataset", "train": str(folder)}
    if count > 1:
        splits = {"train": train, **{part: name for part, name in parts.items() if part and name != train}}
        data.update({field_of(part, "split"): name for part, name in splits.items()})
    data.update({"columns": dict(columns)} if columns else {})
    return Layout("a Hugging Face dataset", data, task, tuple(dataset.column_names))


def _renamed(dataset: Any, columns: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """The first rows by our names of fields."""
    rows = (renamed(row, columns) for row in _rows(dataset))
    return (row for row in rows if isinstance(row, dict))


def _rows(dataset: Any) -> list[dict[str, Any]]:
    """The first rows with a mark in place of what holds images, and with classes by name."""
    features = dataset.features
    images = [name for name in dataset.column_names if holds_images(dataset.data.schema.field(name).type)]
    texts = [name for name in dataset.column_names if name not in images]
    few = dataset.select_columns(texts).select(range(min(LOOKED_AT, len(dataset))))
    named = {name: features[name] for name in texts if type(features[name]).__name__ == "ClassLabel"}

    def shown(name: str, value: Any) -> Any:
        return named[name].int2str(value) if name in named and isinstance(value, int) and value >= 0 else value

    marks = dict.fromkeys(images, "an image")
    return [{**{name: shown(name, value) for name, value in row.items()}, **marks} for row in few]
