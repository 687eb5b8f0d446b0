"""The task beside an exported model."""

from __future__ import annotations

from ..tasks.task import Task
from .manifest import SavedTask
from .own_classes import check_settings, own_task_class


def saved_task(task: Task) -> SavedTask:
    """The task as a directory has it, if it can be loaded again.

    Raises:
        InputError: its class cannot be found, or its settings are no JSON values.
    """
    own = own_task_class(task)
    kind = {} if own is None else {"class": own}
    return SavedTask.from_dict({"name": task.name, **kind, **check_settings(task)})
