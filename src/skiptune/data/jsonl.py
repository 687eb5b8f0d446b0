"""Questions in a JSON-lines file beside a folder of images: ``image``, ``question``, ``answer`` or ``answers``.

``answers`` is a list of strings as annotators gave them, or a mapping from answer to count. Counts become the usual
soft scores of VQA, ``min(1, 0.3 · count)``; a single ``answer`` scores 1.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from PIL import Image

from ..errors import InputError
from .records import Record, Records

_SOFT_SCORE = 0.3


def read_jsonl(path: str | Path, images: str | Path, require_answers: bool = True) -> Records:
    """Read questions; a bad row is counted and reported in ``bad``, and never loses the others.

    Args:
        path: the JSON-lines file.
        images: the folder that ``image`` entries are relative to.
        require_answers: whether a row without an answer is bad.

    Raises:
        InputError: no such file or folder, no usable row, or more than a fifth of them bad.
    """
    file, folder = Path(path), Path(images)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such image folder")
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise InputError(f"{file}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read as UTF-8 text ({error})") from None
    found = Records(str(file))
    good_images: dict[Path, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        found.rows += 1
        try:
            record = _record(json.loads(line), folder, require_answers)
            problem = good_images.setdefault(record.image, image_problem(record.image))
            if problem:
                raise InputError(problem)
            found.items.append(record)
        except json.JSONDecodeError as error:
            found.bad.append(f"line {number}: not valid JSON ({error.msg})")
        except InputError as error:
            found.bad.append(f"line {number}: {error}")
    return found.check()


def _record(row: Any, folder: Path, require_answers: bool) -> Record:
    if not isinstance(row, dict):
        raise InputError("expected an object with image, question and answer")
    for name in ("image", "question"):
        if not isinstance(row.get(name), str) or not row[name].strip():
            raise InputError(f"{name}: {row.get(name)!r} is not a text")
    answers = _answers(row)
    if require_answers and not answers:
        raise InputError("answer: missing (or give answers, a list or a mapping from answer to count)")
    return Record(folder / row["image"], row["question"].strip(), answers)


def _answers(row: dict[str, Any]) -> dict[str, float]:
    """Accepted answers of a row with their scores."""
    if isinstance(row.get("answer"), str | int | float) and not isinstance(row["answer"], bool):
        return {str(row["answer"]).strip(): 1.0}
    given = row.get("answers")
    if isinstance(given, list) and all(isinstance(answer, str) for answer in given):
        given = Counter(given)
    if given is None and row.get("answer") is None:
        return {}
    if not isinstance(given, dict) or not all(
        isinstance(count, int | float) and not isinstance(count, bool) and count > 0 for count in given.values()
    ):
        raise InputError("answer is not a text, and answers is neither a list of texts nor a mapping to counts above 0")
    return {str(answer).strip(): min(1.0, _SOFT_SCORE * count) for answer, count in given.items()}


def image_problem(path: Path) -> str:
    """What is wrong with an image file, or an empty string. Reads the header, not the pixels."""
    try:
        with Image.open(path) as image:
            image.verify()
    except FileNotFoundError:
        return f"image {path}: no such file"
    except Exception as error:  # Pillow's decoders raise whatever their format suggests
        return f"image {path}: cannot be read ({error})"
    return ""
