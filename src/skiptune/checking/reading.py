"""Read the parts of data as a run would, but without refusing files with many bad rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..core.errors import InputError
from ..core.progress import busy
from ..data.data_config import EMBEDDED_SET, PARTS, DataConfig
from ..data.parts import cut_parts, read_part
from ..data.readers.collecting import RowChecks
from ..data.readers.objects import read_objects
from ..data.record_table import TableWriter
from ..data.records import BadRowsError, Records
from .checked_part import CheckedPart
from .finding import Findings


@busy("reading")
def read_all(
    config: DataConfig, row_checks: Callable[[], RowChecks] | None, findings: Findings
) -> tuple[CheckedPart, ...]:
    """The parts that have files of their own. A file that cannot be read is a finding."""

    def read(part: str) -> Records | None:
        return read_part(
            config if config.name == EMBEDDED_SET else config.replace(most_bad=1.0), part, None, row_checks
        )

    return tuple(_read(PARTS, read, findings))


@busy("reading")
def read_given(parts: Mapping[str, Any], row_checks: RowChecks, findings: Findings) -> tuple[CheckedPart, ...]:
    """The parts of objects in Python: rows, records, datasets."""

    def read(part: str) -> Records:
        checks: RowChecks = {**row_checks, "most_bad": 1.0}
        return read_objects(parts[part], name=part, **checks)

    return tuple(_read(parts, read, findings))


def _read(parts: Iterable[str], read: Callable[[str], Records | None], findings: Findings) -> Iterator[CheckedPart]:
    for part in parts:
        try:
            records = read(part)
        except BadRowsError as error:
            yield CheckedPart(part, error.source, nothing(error.source), error.rows, error.bad)
        except InputError as error:
            findings.add("unreadable_file", part, part, str(error))
        else:
            if records is not None:
                bad, unlabelled = tuple(records.bad), records.unlabelled
                yield CheckedPart(part, records.source, records, records.rows, bad, unlabelled)


def nothing(source: str) -> Records:
    """No records."""
    return Records(source, TableWriter().finish(), np.arange(0))


def try_to_cut(config: DataConfig, seed: int, parts: Sequence[CheckedPart], findings: Findings) -> None:
    """Cut the parts of a run from those that have files; that it cannot be done is a finding."""
    found = {part.name: part.records for part in parts if len(part.records)}
    if "train" in found:
        try:
            cut_parts(config, seed, found)
        except InputError as error:
            findings.add("no_parts", "train", "train", str(error))
