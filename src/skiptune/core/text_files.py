"""Read text files that people write or that programs left: whole, in UTF-8, with errors that name the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .errors import InputError
from .plain_values import DEEPEST, refuse_unusable, whole_number

#: Bytes of a text file that is read at once.
LARGEST_FILE = 256 * 2**20


def read_text(path: Path, most: int = LARGEST_FILE) -> str:
    """The text of a file, without the byte-order mark that some editors put in front.

    Args:
        path: of the file.
        most: bytes it may have.

    Raises:
        InputError: the file is missing, no file, too large, or not UTF-8.
    """
    if "\0" in str(path):
        raise InputError(f"{str(path)!r}: no path can be like this")
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: not a file; name a text file")
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if len(content) > most:
        raise InputError(f"{path}: larger than {most:,} bytes; not a file of this kind")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a UTF-8 text file") from None


def read_json(path: Path, most: int = LARGEST_FILE) -> Any:
    """Read a JSON file.

    Raises:
        InputError: as :func:`read_text` and :func:`parse_json`.
    """
    return parse_json(read_text(path, most), str(path))


def says(path: Path, field: str, value: str) -> bool:
    """Whether ``value`` is in a field of a JSON file; of a damaged one, whether its text looks so. A missing file says
    nothing.
    """
    if not path.is_file():
        return False
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return f'"{field}": "{value}"' in text
    return isinstance(found, dict) and found.get(field) == value


def parse_json(text: str, subject: str) -> Any:
    """The value that a JSON text writes. NaN and infinity pass, for the fields to refuse.

    Args:
        text: the JSON.
        subject: what an error's message begins with, e.g. the file's name.

    Raises:
        InputError: not JSON, a key twice, or what :func:`~skiptune.core.plain_values.refuse_unusable` refuses.
    """
    try:
        value = json.loads(text, object_pairs_hook=each_key_once, parse_int=whole_number)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{subject}: not valid JSON at line {error.lineno}: {error.msg}; truncated or edited?"
        ) from None
    except RecursionError:
        raise InputError(f"{subject}: lists and mappings are more than {DEEPEST} deep inside each other") from None
    except ValueError as error:
        raise InputError(f"{subject}: not valid JSON: {error}") from None
    refuse_unusable(value, subject)
    return value


def each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The mapping of a JSON object's members, for ``object_pairs_hook``.

    Raises:
        ValueError: a key is there twice.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} is there twice; keep one of them")
    return found
