"""Hugging Face datasets on disk: what ``save_to_disk`` left, or a folder of Parquet files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.errors import InputError
from ..core.extras import require_extra
from ..data.data_config import field_of
from ..data.readers.hf_dataset import load_splits
from ..data.readers.renaming import renamed
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
    columns = column_names(found.column_names, given)
    if "image" not in {*found.column_names, *columns}:
        raise InputError(
            f"{folder}: the dataset has no column image; it has {', '.join(found.column_names)}; "
            "give --column image=NAME"
        )
    rows = [row for named in _rows(found) if isinstance(row := renamed(named, columns), dict)]
    data: dict[str, object] = {"name": "dataset", "train": str(folder)}
    if len(splits) > 1:
        chosen = {"train": train, **{part: name for part, name in parts.items() if part and name != train}}
        data.update({field_of(part, "split"): name for part, name in chosen.items()})
    data.update({"columns": columns} if columns else {})
    return Layout("a Hugging Face dataset", data, task_of_rows(rows), tuple(found.column_names))


def _rows(dataset: Any) -> list[dict[str, Any]]:
    """The first rows without their images, with classes by name."""
    features = dataset.features
    texts = [name for name in dataset.column_names if type(features[name]).__name__ != "Image"]
    few = dataset.select_columns(texts).select(range(min(LOOKED_AT, len(dataset))))
    named = {name: features[name] for name in texts if type(features[name]).__name__ == "ClassLabel"}

    def shown(name: str, value: Any) -> Any:
        return named[name].int2str(value) if name in named and isinstance(value, int) and value >= 0 else value

    return [{name: shown(name, value) for name, value in row.items()} for row in few]
