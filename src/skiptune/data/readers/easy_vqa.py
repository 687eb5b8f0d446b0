"""easy-VQA, the set of 5,000 small images and 48,248 questions that the PyPI package ``easy-vqa`` carries."""

from __future__ import annotations

from pathlib import Path

from ...core.errors import InputError
from ..record import Record
from ..records import Records


def read_easy_vqa(part: str) -> Records:
    """The questions of ``part``, ``train`` (38,575) or ``test`` (9,673).

    Raises:
        InputError: the package is not installed.
    """
    try:
        import easy_vqa
    except ImportError:
        raise InputError("easy-VQA is not installed; run: pip install easy-vqa") from None
    read = {
        "train": (easy_vqa.get_train_questions, easy_vqa.get_train_image_paths),
        "test": (easy_vqa.get_test_questions, easy_vqa.get_test_image_paths),
    }
    questions, paths = (call() for call in read[part])
    files = {image: Path(path) for image, path in paths.items()}
    rows = (Record(files[image], question, {answer: 1.0}) for question, answer, image in zip(*questions, strict=True))
    return Records.of(rows, f"easy-vqa {part}")
