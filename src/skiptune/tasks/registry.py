"""The table of tasks."""

from __future__ import annotations

from ..core.errors import InputError
from ..core.shown import shown
from ..core.validation import nearest
from ..families.task_names import TaskName
from .classification import Classification
from .entailment import Entailment
from .generation.task import Generation
from .reasoning import Reasoning
from .regression import Regression
from .retrieval import Retrieval
from .task import Task
from .vqa import Vqa

TASKS: dict[
    TaskName,
    type[Vqa]
    | type[Reasoning]
    | type[Retrieval]
    | type[Entailment]
    | type[Classification]
    | type[Regression]
    | type[Generation],
] = {
    "vqa": Vqa,
    "reasoning": Reasoning,
    "retrieval": Retrieval,
    "entailment": Entailment,
    "classification": Classification,
    "regression": Regression,
    "generation": Generation,
}


def task_named(name: str) -> type[Task]:
    """The class of one of the tasks above.

    Raises:
        InputError: there is none of this name.
    """
    known: dict[str, type[Task]] = {str(task): kind for task, kind in TASKS.items()}
    if name not in known:
        raise InputError(f"task: {shown(name)}{nearest(name, known)}")
    return known[name]
