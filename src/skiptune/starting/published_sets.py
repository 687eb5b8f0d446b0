"""Published sets, by the names of their files and the fields of their rows: VQAv2, Karpathy's splits, NLVR2, NLVR,
SNLI-VE, and tables of the released ViLT and METER code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..core.errors import InputError
from .image_folders import first_folder, folders_below, image_folder_of
from .layout import Layout, as_fields, by_part, part_of
from .own_rows import first_rows

_QUESTIONS = re.compile(r".*questions\.json$", re.IGNORECASE)
_ANNOTATIONS = re.compile(r".*annotations\.json$", re.IGNORECASE)
_COCO = re.compile(r"(COCO_)?(train|val|test)20\d\d")
_DRAWING = re.compile(r"(train|dev|test)-\d+-\d+")
_TITLES = {
    "nlvr2": ("NLVR2 as published", "reasoning"),
    "nlvr": ("NLVR as published", "reasoning"),
    "snli-ve": ("SNLI-VE as published", "entailment"),
}
#: Bytes of a file's beginning in which a Karpathy file shows its form.
_BEGINNING = 2**16


def published_set(folder: Path) -> Layout | None:
    """The set in ``folder``; ``None``: none that is known."""
    finders = (_vqav2, _karpathy, _by_first_row, _arrow)
    return next((found for find in finders if (found := find(folder)) is not None), None)


def _files(folder: Path, *endings: str) -> Iterator[Path]:
    """Files at the folder's top and in the folders directly below."""
    for inner in folders_below(folder, 1):
        yield from (path for path in sorted(inner.iterdir()) if path.is_file() and path.suffix.lower() in endings)


def _vqav2(folder: Path) -> Layout | None:
    named = list(_files(folder, ".json"))
    questions = [path for path in named if _QUESTIONS.match(path.name)]
    annotations = {part_of(path.stem): path for path in named if _ANNOTATIONS.match(path.name)}
    answered = [path for path in questions if part_of(path.stem) in annotations]
    images = first_folder(folder, lambda candidate: any(_COCO.match(entry.name) for entry in candidate.iterdir()))
    if not answered or images is None:
        return None
    parts = by_part(answered)
    data: dict[str, object] = {"name": "vqav2", **as_fields(parts), "images": str(images)}
    for part, path in parts.items():
        field = "annotations" if part == "train" else f"{part}_annotations"
        data[field] = str(annotations[part_of(path.stem)])
    return Layout("VQAv2 as published", data, "vqa")


def _karpathy(folder: Path) -> Layout | None:
    for path in _files(folder, ".json"):
        with path.open(encoding="utf-8", errors="replace") as file:
            beginning = file.read(_BEGINNING)
        names = re.findall(r'"filename": ?"([^"]+)"', beginning)
        if '"sentences"' in beginning and '"split"' in beginning and names:
            images = str(image_folder_of(names, folder))
            return Layout(
                "Karpathy's splits",
                {"name": "karpathy", "train": str(path), "images": images, "split": "train"},
                "retrieval",
            )
    return None


def _by_first_row(folder: Path) -> Layout | None:
    """NLVR2, NLVR or SNLI-VE: JSON lines with fields of their own."""
    found: dict[str, dict[Path, str]] = {}
    for path in _files(folder, ".jsonl", ".json"):
        name, image = _format_of(next(iter(first_rows(path)), {}))
        if name:
            found.setdefault(name, {})[path] = image
    if not found:
        return None
    name, files = next(iter(found.items()))
    title, task = _TITLES[name]
    images = _pair_folder(folder) if name == "nlvr2" else image_folder_of(list(files.values()), folder)
    return Layout(title, {"name": name, **as_fields(by_part(files)), "images": str(images)}, task)


def _pair_folder(folder: Path) -> Path:
    """The folder that the images of NLVR2 are in, or the folders of its parts, or the numbered ones."""

    def has_pairs(candidate: Path) -> bool:
        return any(entry.name.endswith("-img0.png") for entry in candidate.iterdir())

    where = first_folder(folder, has_pairs)
    if where is None:
        raise InputError(f"{folder}: the pairs of NLVR2 (…-img0.png) are not in it, nor below it")
    while where != folder and (where.name.isdigit() or part_of(where.name)):
        where = where.parent
    return where


def _format_of(row: Mapping[str, object]) -> tuple[str, str]:
    """The format that a row belongs to, and its image; empty: another one."""
    if {"identifier", "sentence", "label"} <= row.keys() and "image" not in row:
        return "nlvr2", ""
    if {"Flickr30K_ID", "gold_label", "sentence2"} <= row.keys():
        return "snli-ve", f"{row['Flickr30K_ID']}.jpg"
    if {"image", "sentence", "label"} <= row.keys() and _DRAWING.match(Path(str(row["image"])).name):
        return "nlvr", str(row["image"])
    return "", ""


def _arrow(folder: Path) -> Layout | None:
    if (folder / "state.json").is_file() or (folder / "dataset_info.json").is_file():
        return None  # Hugging Face's own
    if not (files := list(_files(folder, ".arrow"))):
        return None
    from ..data.pictures import open_table

    parts = by_part(files)
    columns = set(open_table(str(parts["train"])).column_names)
    tasks = {"questions": "vqa", "image_1": "reasoning", "caption": "retrieval", "sentences": "entailment"}
    task = next((task for column, task in tasks.items() if column in columns), None)
    return Layout("tables of the released ViLT and METER code", {"name": "arrow", **as_fields(parts)}, task)
