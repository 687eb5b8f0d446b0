"""Records where a function takes them: as they are, or made of rows and datasets that are given instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from ..core.progress import console
from .record import Record, check_kind

if TYPE_CHECKING:
    from .readers.collecting import RowChecks

#: What records can be made of: records, rows by field, a dataset, or columns by field.
Examples: TypeAlias = Iterable[Record] | Iterable[Mapping[str, Any]] | Mapping[str, Sequence[Any]]


def as_records(
    given: Examples, checks: RowChecks | None = None, name: str = "records", require_answers: bool = True
) -> Sequence[Record]:
    """Records as they are; rows of other kinds as a table of records, see :func:`skiptune.records`.

    Rows that cannot be used are left out, and a line says how many.

    Args:
        given: by the user.
        checks: how rows of the task are told; ``None``: the fields tell.
        name: of the argument.
        require_answers: whether a row without an answer, label or value is bad.

    Raises:
        InputError: it is nothing that records can be made of, or too many rows are bad.
    """
    data: Any = given
    if not isinstance(data, Sequence | Mapping) and isinstance(data, Iterable) and not hasattr(data, "__getitem__"):
        data = list(data)
    if not _is_of_rows(data):
        check_kind(data, name)
        return data  # type: ignore[no-any-return]
    from .readers.objects import read_objects  # imports Arrow, which a prediction does without

    found = read_objects(data, name=name, require_answers=require_answers, **(checks or {}))
    if found.bad:
        console.print(f"{name}: {len(found.bad)} of {found.rows} rows left out, e.g. {found.bad[0]}", markup=False)
    return found


def _is_of_rows(data: Any) -> bool:
    """Whether something in it is a row that has still to become a record."""
    if isinstance(data, Mapping):
        return True
    if isinstance(data, str | bytes) or not hasattr(data, "__getitem__") or not hasattr(data, "__len__"):
        return False
    if isinstance(data, list | tuple):
        return any(isinstance(row, Mapping) for row in data)
    return len(data) > 0 and isinstance(data[0], Mapping)
