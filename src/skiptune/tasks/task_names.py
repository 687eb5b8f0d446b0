"""The names of the tasks, which a recipe is checked against without loading any."""

from __future__ import annotations

from typing import Literal

TaskName = Literal["vqa", "reasoning", "retrieval", "entailment", "classification", "regression"]
