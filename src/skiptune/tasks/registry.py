"""The table of tasks."""

from __future__ import annotations

from .classification import Classification
from .entailment import Entailment
from .reasoning import Reasoning
from .regression import Regression
from .retrieval import Retrieval
from .task_names import TaskName
from .vqa import Vqa

TASKS: dict[
    TaskName,
    type[Vqa] | type[Reasoning] | type[Retrieval] | type[Entailment] | type[Classification] | type[Regression],
] = {
    "vqa": Vqa,
    "reasoning": Reasoning,
    "retrieval": Retrieval,
    "entailment": Entailment,
    "classification": Classification,
    "regression": Regression,
}
