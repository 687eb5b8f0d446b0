"""One file a task; :data:`TASKS` is the table."""

from __future__ import annotations

from .entailment import Entailment
from .reasoning import Reasoning
from .retrieval import Retrieval
from .task import Evaluation, Task
from .vqa import Vqa

#: Task name → class.
TASKS: dict[str, type[Vqa] | type[Reasoning] | type[Retrieval] | type[Entailment]] = {
    task.name: task for task in (Vqa, Reasoning, Retrieval, Entailment)
}

__all__ = ["TASKS", "Entailment", "Evaluation", "Reasoning", "Retrieval", "Task", "Vqa"]
