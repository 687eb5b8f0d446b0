"""Whether a file is one JSON list, or lines of which the first is one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from skiptune import read_jsonl

ROW = {"image": "a.png", "question": "what is it?", "answer": "red"}


@pytest.mark.parametrize("first", ["[]", "[1]", '\ufeff["a"]'])
def test_a_list_on_the_first_of_many_lines_is_one_bad_row(first: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    path.write_text(f"{first}\n{json.dumps(ROW)}\n{json.dumps(ROW)}\n", encoding="utf-8")
    found = read_jsonl(path, tmp_path, most_bad=0.5)
    assert len(found) == 2
    assert len(found.bad) == 1


@pytest.mark.parametrize("indent", [None, 1])
def test_a_file_that_is_a_list_is_its_rows(indent: int | None, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    path.write_text(json.dumps([ROW, ROW], indent=indent) + "\n\n", encoding="utf-8")
    assert len(read_jsonl(path, tmp_path)) == 2
