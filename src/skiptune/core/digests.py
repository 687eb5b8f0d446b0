"""Digests of the files of a directory, in ``SHA256SUMS`` beside them: what is read is what was written.

``sha256sum --check`` reads it too; its first line is a digest of the others. Files that are not listed, such as those
of versions up to 0.3, are not checked.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from .errors import InputError
from .files import file_sha256, telling_of, write_atomically, write_text

SUMS, SEAL = "SHA256SUMS", "sha256"
_HEAD = "# "
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def write_recorded(path: Path, write: Callable[[Path], None]) -> None:
    """:func:`~skiptune.core.files.write_atomically` for a file, with its digest in the directory's list.

    The digest is there before the file: a process that is killed in between leaves no file without one.
    """

    def write_and_record(temporary: Path) -> None:
        write(temporary)
        with telling_of(path):
            new = file_sha256(temporary)
        known = _read(path.parent)
        # while the former file may still be there, both are right
        known[path.name] = {new, *(known.get(path.name, ()) if path.exists() else ())}
        _write(path.parent, known)

    write_atomically(path, write_and_record)
    known = _read(path.parent)
    if len(known[path.name]) > 1:
        known[path.name] = {file_sha256(path)}
        _write(path.parent, known)


def write_recorded_json(path: Path, content: Any) -> None:
    """:func:`~skiptune.core.files.write_json`, with the file's digest in the directory's list."""
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"

    def write(temporary: Path) -> None:
        temporary.write_text(text, encoding="utf-8")

    write_recorded(path, write)


def check_recorded(path: Path, advice: str) -> None:
    """Refuse a file that is not as it was written.

    Args:
        path: of the file; nothing is said if it is missing or not listed.
        advice: what to do about it, a sentence.

    Raises:
        InputError: names the file.
    """
    wanted = _read(path.parent).get(path.name)
    if wanted is not None and path.is_file() and _sha256(path) not in wanted:
        raise InputError(f"{path}: differs from what was written (SHA-256); edited or damaged? {advice}")


def is_recorded(path: Path) -> bool:
    """Whether the digest of a file is known."""
    return path.name in _read(path.parent)


def record_folder(folder: Path) -> None:
    """List all files of a directory as they are now."""
    _write(folder, {path.name: {_sha256(path)} for path in _files(folder)})


def damaged_file(folder: Path) -> Path | None:
    """The first file of a listed directory that is missing or not as it was written; ``None``: all are."""
    try:
        known = _read(folder)
    except InputError:
        return folder / SUMS
    for name, wanted in sorted(known.items()):
        path = folder / name
        if not path.is_file() or _sha256(path) not in wanted:
            return path
    return None


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a JSON file with a digest of its other values, ``sha256``, at the end."""
    values = {name: value for name, value in content.items() if name != SEAL}
    return {**values, SEAL: _values_sha256(values)}


def refuse_broken_seal(content: Mapping[str, Any], path: Path) -> None:
    """Refuse the content of a JSON file that is not as :func:`sealed` gave it; one without a digest passes.

    Raises:
        InputError: names the file.
    """
    wanted = content.get(SEAL)
    if wanted is not None and wanted != _values_sha256({k: value for k, value in content.items() if k != SEAL}):
        raise InputError(f"{path}: differs from what was exported (SHA-256); edited or damaged? Export it again")


def _values_sha256(values: Mapping[str, Any]) -> str:
    """Of the values as JSON has them, in the order of their names."""
    plain = json.loads(json.dumps(values))  # infinity, which is never written, is another value
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _files(folder: Path) -> Iterable[Path]:
    return (path for path in sorted(folder.iterdir()) if path.is_file() and path.name != SUMS)


def _sha256(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


def _write(folder: Path, known: dict[str, set[str]]) -> None:
    lines = "".join(f"{digest}  {name}\n" for name in sorted(known) for digest in sorted(known[name]))
    write_text(folder / SUMS, f"{_HEAD}{hashlib.sha256(lines.encode()).hexdigest()}\n{lines}")


def _read(folder: Path) -> dict[str, set[str]]:
    """File name → its digest, or two while it is replaced; empty if there is no list."""
    path = folder / SUMS
    try:
        head, _, lines = path.read_bytes().decode("utf-8", "replace").partition("\n")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    found: dict[str, set[str]] = {}
    for line in lines.splitlines():
        if match := _LINE.fullmatch(line):
            found.setdefault(match[2], set()).add(match[1])
    if head != _HEAD + hashlib.sha256(lines.encode()).hexdigest():
        raise InputError(f"{path}: edited or damaged; remove it to go on without digests of the files beside it")
    return found
