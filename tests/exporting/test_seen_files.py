"""A slim model knows the files that it was trained on and that its plan was chosen on."""

from __future__ import annotations

from pathlib import Path

import pytest

from skiptune.core.files import file_sha256
from skiptune.exporting.measures import Measures
from skiptune.exporting.seen_files import told_of


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    for name in ("train", "validation", "test"):
        (tmp_path / f"{name}.jsonl").write_text(f"{name}\n")
    return {name: tmp_path / f"{name}.jsonl" for name in ("train", "validation", "test")}


def test_files_are_known_by_their_content(files: dict[str, Path], tmp_path: Path) -> None:
    seen = {file_sha256(files[part]): part for part in ("train", "validation")}
    measures = Measures(seen=seen, compared_on="validation")
    files["train"].rename(tmp_path / "other.jsonl")
    assert "was trained on records of this file" in str(told_of(tmp_path / "other.jsonl", measures))
    assert str(told_of(files["validation"], measures)).endswith(
        "validation.jsonl: the plan was chosen on records of this file, so what is measured on it is likely too good"
    )
    assert told_of(files["test"], measures) is None
    assert told_of(tmp_path, measures) is None
    assert told_of(tmp_path / "missing.jsonl", measures) is None


def test_a_plan_that_nothing_was_compared_for_was_not_chosen_on_validation(files: dict[str, Path]) -> None:
    seen = {file_sha256(files["validation"]): "validation"}
    assert told_of(files["validation"], Measures(seen=seen)) is None
    assert told_of(files["validation"], Measures()) is None
