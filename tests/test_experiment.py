"""The noun that a search and a training work on, checked as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from skiptune import Budget, Experiment, InputError, Record, Vqa


def test_every_wrong_field_is_named_at_once(task: Vqa, records: Sequence[Record]) -> None:
    wrong: Any = {"task": "vqa", "train": "train.jsonl", "valid": [1], "budget": 4, "search": {"max_steps": 2}}
    with pytest.raises(InputError) as refusal:
        Experiment(**wrong)
    said = str(refusal.value)
    assert "task: 'vqa' is not a Task" in said
    assert "train: str given; expected rows or records" in said
    assert "valid: list given; expected rows or records" in said
    assert "budget: 4 is not a Budget" in said
    assert "search: {'max_steps': 2} is not a SearchConfig" in said
    assert Experiment(task, records, budget=Budget(num_skip=2)).valid == ()
