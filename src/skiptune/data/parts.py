"""The data of a run: where its parts are read from, and the three parts themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import InputError
from .data_config import EMBEDDED_SET, PARTS, DataConfig
from .readers.arrow import released_vocabulary
from .readers.easy_vqa import read_easy_vqa
from .readers.formats import SOURCES
from .record import Record
from .records import Records
from .splits import split_by_image

#: The test part does not depend on the run's seed, so that runs with different seeds can be compared.
_TEST_SEED = 0


@dataclass
class Data:
    """The three parts, the problems of rows that were left out, and where the answer vocabulary comes from.

    Attributes:
        train, validation, test: the parts; ``test`` may be empty.
        bad_rows: problems of bad rows, by part.
        counted: the parts whose answers are counted for a vocabulary.
        answers: the answers in the order of the labels that the files carry; empty if they carry none.
    """

    train: Sequence[Record]
    validation: Sequence[Record]
    test: Sequence[Record]
    bad_rows: dict[str, list[str]]
    counted: tuple[Sequence[Record], ...]
    answers: tuple[str, ...] = ()


def read_parts(config: DataConfig, seed: int, log: Path | None = None) -> Data:
    """Read and split the data of a run; bad rows are reported in ``bad_rows``, the rest is used.

    Args:
        config: what to read.
        seed: of the validation part and of what ``max_train`` and ``max_validation`` draw; the test part does not
            depend on it.
        log: folder for files that name every bad row.

    Raises:
        InputError: files are missing, a part is empty, or too many rows are bad.
    """
    found: dict[str, Records] = {}
    for part in PARTS:
        if config.name == EMBEDDED_SET:
            if part != "validation":
                found[part] = read_easy_vqa(part)
        elif files := config.files(part, log):
            found[part] = SOURCES[config.name].read(files)
    parts = dict(found)
    if config.test_share is not None:
        parts["train"], parts["test"] = split_by_image(parts["train"], config.test_share, _TEST_SEED, "test")
    if "validation" not in parts:
        parts["train"], parts["validation"] = split_by_image(parts["train"], config.validation_share, seed)
    for part, records in parts.items():
        most = getattr(config, f"max_{part}")
        if most is not None and most < len(records):
            draw = np.random.default_rng(_TEST_SEED if part == "test" else seed)
            parts[part] = records.select(np.sort(draw.permutation(len(records))[:most]))
    bad = {part: records.bad for part, records in found.items()}
    counted = ("train", "validation") if config.name == "vqav2" and "validation" in found else ("train",)
    return Data(
        parts["train"],
        parts["validation"],
        parts.get("test", []),
        bad,
        tuple(parts[part] for part in counted),
        tuple(_released_answers(config)),
    )


def _released_answers(config: DataConfig) -> list[str]:
    """The answers that labels in tables of questions stand for. Those of the test part do not count: it is used only
    for testing."""
    if config.name != "arrow":
        return []
    files = (config.files(part, None) for part in ("train", "validation"))
    return released_vocabulary([path for part in files if part is not None for path in part.path])


def read_for_evaluation(name: str, path: str, fields: dict[str, Any], log: Path | None = None) -> Records:
    """The records of one file, for ``skiptune evaluate``.

    Raises:
        InputError: an unknown format, a field it lacks, or a file that cannot be read.
    """
    if name == EMBEDDED_SET:
        return read_easy_vqa("test")
    given = {entry: value for entry, value in fields.items() if value is not None}
    files = DataConfig(name=name, train=path, **given).files("train", log)
    if files is None:
        raise InputError(f"{name}: nothing to read")
    return SOURCES[name].read(files)
