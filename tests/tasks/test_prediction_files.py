"""Files of predictions name all images of a record, and the question that was answered."""

from __future__ import annotations

import json
from pathlib import Path

from skiptune import Evaluation, Record
from skiptune.data.turns import Turn
from skiptune.tasks.predictions import write_predictions


def test_conversations_of_several_images_and_of_none(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    turns = (Turn("user", ("hi",)), Turn("assistant", ("hello",)), Turn("user", (None, "which", None, None)))
    records = [Record(paths[0], turns=turns, further=tuple(paths[1:])), Record(None, "hello?")]
    found = Evaluation({}, None, 0, 0, ("a", "b"), (None, None), unanswered=2)
    write_predictions(tmp_path / "said.jsonl", records, found, tmp_path)
    assert [json.loads(line) for line in (tmp_path / "said.jsonl").read_text().splitlines()] == [
        {"id": "", "images": ["0.png", "1.png", "2.png"], "text": "which", "answer": "a", "score": None},
        {"id": "", "text": "hello?", "answer": "b", "score": None},
    ]
