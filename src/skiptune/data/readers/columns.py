"""Values of Arrow columns, of which a bad one does not lose the others."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.errors import InputError
from .collecting import Row

_SHORT = {"float": np.float32, "halffloat": np.float16}


def rows_of(table: Any) -> list[Row | InputError]:
    """The rows of a table as mappings by column; a problem in place of a row that cannot be read."""
    columns = {name: values_of(table.column(name)) for name in table.column_names}
    return [row_of(dict(zip(columns, values, strict=True))) for values in zip(*columns.values(), strict=True)]


def row_of(row: Row) -> Row | InputError:
    """The row, or the problem that it holds."""
    return next((value for value in row.values() if isinstance(value, InputError)), row)


def values_of(column: Any) -> list[Any]:
    """The values of a column; a problem in place of a value that cannot be read."""
    try:
        values = list(column.to_pylist())
        if str(column.type) in _SHORT:  # their shortest form: 0.1, not 0.10000000149011612
            number = _SHORT[str(column.type)]
            return [None if value is None else float(str(number(value))) for value in values]
        return values
    except UnicodeDecodeError:
        return [_value(entry) for entry in column]


def _value(entry: Any) -> Any:
    try:
        return entry.as_py()
    except UnicodeDecodeError as error:
        return InputError(f"not UTF-8 text ({error})")
