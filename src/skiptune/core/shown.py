"""Values in messages: short and printable, whatever a user's file holds."""

from __future__ import annotations

import reprlib


class _Short(reprlib.Repr):
    """``repr``, cut where it is long or nested deep."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 100

    def repr_int(self, value: int, level: int) -> str:
        try:
            return super().repr_int(value, level)
        except ValueError:  # Python refuses to write thousands of digits
            return "a number of thousands of digits"


shown = _Short().repr
