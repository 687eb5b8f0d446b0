"""The table of tasks."""

from __future__ import annotations

from .entailment import Entailment
from .reasoning import Reasoning
from .retrieval import Retrieval
from .task_names import TaskName
from .vqa import Vqa

TASKS: dict[TaskName, type[Vqa] | type[Reasoning] | type[Retrieval] | type[Entailment]] = {
    "vqa": Vqa,
    "reasoning": Reasoning,
    "retrieval": Retrieval,
    "entailment": Entailment,
}
