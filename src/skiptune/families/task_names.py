"""The names of the tasks, as recipes and the table of families have them; no task is loaded for them."""

from __future__ import annotations

from typing import Literal

TaskName = Literal["vqa", "reasoning", "retrieval", "entailment", "classification", "regression", "generation"]
