"""Arrow tables as the released code writes them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image


def encoded(colour: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 6), (colour, 0, 0)).save(buffer, "png")
    return buffer.getvalue()


def write_table(path: Path, columns: dict[str, list[Any]]) -> Path:
    content = pa.table(columns)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, content.schema) as writer:
        writer.write_table(content)
    return path


def vqa_columns() -> dict[str, list[Any]]:
    return {
        "image": [encoded(10), encoded(20)],
        "questions": [["what?", "who?"], ["how many?"]],
        "answers": [[["net", "goal"], ["man"]], [["2"]]],
        "answer_labels": [[[0, 2], [1]], [[3]]],
        "answer_scores": [[[1.0, 0.3], [0.9]], [[0.6]]],
        "image_id": [5, 6],
        "question_id": [[50, 51], [60]],
        "split": ["train", "train"],
    }
