"""Classes of the user's own, of models and tasks: a slim directory names them, and loading takes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..core.errors import InputError, first_line
from ..core.shown import shown
from ..families.registry import model_class_named
from ..tasks.registry import TASKS
from ..tasks.task import Task

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def path_of(kind: type[Any]) -> str:
    """Module and name of a class."""
    return f"{kind.__module__}.{kind.__qualname__}"


def own_model_class(model_class: type[PreTrainedModel], model_type: Any) -> str | None:
    """The path of a model's class that is in no family's table; ``None``: it is in one.

    Raises:
        InputError: no other program could find the class.
    """
    try:
        known = model_class_named(model_class.__name__, model_type)[0] is model_class
    except InputError:
        known = False
    return None if known else _found_by_others(model_class, "the model's class")


def own_task_class(task: Task) -> str | None:
    """The path of a task's class that is not among SkipTune's; ``None``: it is.

    Raises:
        InputError: no other program could find the class.
    """
    known = any(kind is type(task) for kind in TASKS.values())
    return None if known else _found_by_others(type(task), "the task's class")


def check_settings(task: Task) -> dict[str, Any]:
    """The task's settings, if a directory can hold them and the task can be made of them again.

    Raises:
        InputError: says what cannot be written, or why the task cannot be made.
    """
    settings: dict[str, Any] = {**task.settings()}
    try:
        same = json.loads(json.dumps(settings, allow_nan=False)) == settings
    except (TypeError, ValueError) as error:
        raise InputError(f"task: its settings are no JSON values ({first_line(error)}): {shown(settings)}") from None
    if not same or settings.keys() & {"name", "class"}:
        raise InputError(
            f"task: its settings do not come back from JSON as they are: {shown(settings)}; use lists, texts, numbers "
            "and mappings with texts as keys, none of them called name or class"
        )
    make_task(type(task), task.processor, settings, "task")
    return settings


def check_extra(extra: dict[str, Any]) -> None:
    """Refuse values that a directory's configuration cannot hold.

    Raises:
        InputError: says what cannot be written.
    """
    try:
        json.dumps(extra, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"extra: no JSON values ({first_line(error)}): {shown(extra)}") from None


def make_task(kind: type[Task], processor: Any, settings: dict[str, Any], subject: str) -> Task:
    """The task of a class, from its settings.

    Raises:
        InputError: it cannot be made of them.
    """
    try:
        return kind(processor, **settings)
    except InputError:
        raise
    except Exception as error:  # a class of the user's own can raise anything
        raise InputError(
            f"{subject}: {kind.__name__} cannot be made of its settings, {shown(settings)}: {first_line(error)}"
        ) from None


def given_class(given: type[Any], base: type[Any], name: str, path: str, argument: str) -> type[Any]:
    """The class that the user gives, if it is the one that a directory was written with.

    Args:
        given: the class.
        base: what it must be a class of.
        name: of the class that the directory needs.
        path: of that class, for the message.
        argument: that ``given`` is.

    Raises:
        InputError: it is another one.
    """
    if not (isinstance(given, type) and issubclass(given, base)):
        raise InputError(f"{argument}: {shown(given)} is not a class of {base.__name__}")
    if given.__name__ != name:
        raise InputError(f"{argument}: {path_of(given)} is another class than {path}, which was exported")
    return given


def _found_by_others(kind: type[Any], what: str) -> str:
    if "<" in kind.__qualname__:
        raise InputError(
            f"{what}, {path_of(kind)}, is made inside a function, where no program that loads the export would find "
            "it; define it at the top of a module"
        )
    return path_of(kind)
