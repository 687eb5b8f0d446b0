"""Files of answers: JSON lines, CSV and Parquet, written from the lines of their parts without holding them all."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import Any

from ...core.files import write_atomically
from .answer_output import AnswerFile, ending_of
from .answered_row import AnsweredRow, is_error

#: Gives the lines from the first one on, as often as it is called.
Lines = Callable[[], Iterator[str]]
COLUMNS = tuple(field.name for field in fields(AnsweredRow))
#: Rows of a row group of a Parquet file, which is held at once.
_GROUP = 16_384
#: Problems that are told.
_TOLD = 5


def write_rows(path: Path, lines: Lines) -> AnswerFile:
    """Write a file, whole or not at all, in the format that its ending names.

    Args:
        path: the file.
        lines: of JSON, a row each.

    Raises:
        RunError: the disk is full or not writable.
    """
    rows, bad = 0, 0
    problems: list[str] = []

    def counted() -> Iterator[str]:
        nonlocal rows, bad
        for line in lines():
            rows += 1
            if is_error(line):
                bad += 1
                if len(problems) < _TOLD:
                    problems.append(_told(json.loads(line)))
            yield line

    write = _WRITERS[ending_of(path)]
    write_atomically(path, lambda temporary: write(temporary, counted(), lines))
    return AnswerFile(path, rows, bad, tuple(problems))


def _told(row: dict[str, Any]) -> str:
    """The error of a row, with what tells which one it is."""
    return f"{row['id']}: {row['error']}" if row["id"] else str(row["error"])


def _jsonl(path: Path, lines: Iterator[str], again: Lines) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)


def _csv(path: Path, lines: Iterator[str], again: Lines) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([_cell(value) for value in json.loads(line).values()] for line in lines)


def _cell(value: Any) -> Any:
    if isinstance(value, list | bool):
        return json.dumps(value, ensure_ascii=False)
    return value


def _parquet(path: Path, lines: Iterator[str], again: Lines) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema(_answers_are_numbers(again()))
    with pq.ParquetWriter(path, schema) as writer:
        while group := [json.loads(line) for line in islice(lines, _GROUP)]:
            writer.write_table(pa.Table.from_pylist(group, schema=schema))


def _schema(numbers: bool) -> Any:
    import pyarrow as pa

    answer, text, number = pa.float64() if numbers else pa.string(), pa.string(), pa.float64()
    further = pa.list_(pa.struct({"answer": answer, "probability": number, "score": number}))
    types = (text, text, pa.list_(text), text, answer, number, number, pa.bool_(), further, text)
    return pa.schema(list(zip(COLUMNS, types, strict=True)))


def _answers_are_numbers(lines: Iterator[str]) -> bool:
    """Whether the first answer is a number, as those of regression are; a task gives one kind of answers."""
    found = (json.loads(line)["answer"] for line in lines)
    return isinstance(next((answer for answer in found if answer is not None), None), float)


_WRITERS: dict[str, Callable[[Path, Iterator[str], Lines], None]] = {
    ".jsonl": _jsonl,
    ".csv": _csv,
    ".parquet": _parquet,
}
