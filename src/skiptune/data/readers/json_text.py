"""Rows written as JSON: read one by one, so that a bad one does not lose the others.

NaN and infinity, which Python's own ``json`` writes, pass here: the field that holds them tells whether they matter.
"""

from __future__ import annotations

import json
from typing import Any

from ...core.errors import InputError
from ...core.plain_values import whole_number
from ...core.text_files import each_key_once

#: Characters of a row. A longer one is no row, and not held in memory.
LONGEST = 2**24


def parse(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        InputError: not JSON, a key twice in an object, a number of too many digits, or nested too deep.
    """
    try:
        return DECODER.decode(text)
    except json.JSONDecodeError as error:
        foreign = any("\udc80" <= character <= "\udcff" for character in text)  # what bytes that are not UTF-8 become
        hint = "; is it UTF-8 text?" if foreign else ""
        raise InputError(f"not valid JSON ({error.msg}{hint})") from None
    except (ValueError, RecursionError) as error:  # what the hooks refuse
        reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise InputError(f"not valid JSON ({reason})") from None


DECODER = json.JSONDecoder(object_pairs_hook=each_key_once, parse_int=whole_number)
