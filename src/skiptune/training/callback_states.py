"""A user's callbacks: what they must be, and their states in a checkpoint, which are restored in place, so that a
callback stays the object it is."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import EarlyStoppingCallback, TrainerCallback, TrainerControl, TrainerState
from transformers.trainer_callback import ExportableState

from ..config import TrainConfig
from ..core.errors import InputError
from ..core.shown import shown


def check_callbacks(callbacks: object, config: TrainConfig) -> None:
    """Refuse what is no list of the Trainer's callbacks, and one that waits for evaluations where there are none.

    Raises:
        InputError: names it.
    """
    if not isinstance(callbacks, Sequence):
        raise InputError(f"callbacks: {shown(callbacks)} is not a list of transformers' TrainerCallbacks")
    for callback in callbacks:
        kind = callback if isinstance(callback, type) else type(callback)
        if not issubclass(kind, TrainerCallback):
            raise InputError(f"callbacks: {shown(callback)} is not a TrainerCallback of transformers")
        if issubclass(kind, EarlyStoppingCallback) and config.eval_steps is None:
            raise InputError(f"callbacks: {kind.__name__} needs evaluations; set eval_steps")


def restore_callbacks(callbacks: Sequence[TrainerCallback], state: TrainerState) -> None:
    """Give every callback the attributes that ``state`` has of it, and ``state`` a place for those that are new.

    Callbacks with ``restores_itself`` are left to do so at the start of the training. Of several callbacks of one class
    each gets its own.
    """
    seen: dict[str, int] = {}
    for callback in callbacks:
        if not isinstance(callback, ExportableState):
            continue
        name = type(callback).__name__
        saved = state.stateful_callbacks.setdefault(name, callback.state())
        several = saved if isinstance(saved, list) else [saved]
        number = seen[name] = seen.get(name, -1) + 1
        if number < len(several) and not getattr(callback, "restores_itself", False):
            for attribute, value in several[number].get("attributes", {}).items():
                setattr(callback, attribute, value)


def was_stopped(state: TrainerState) -> bool:
    """Whether the training of ``state``, as read from a checkpoint, was stopped before its last step."""
    control = state.stateful_callbacks.get(TrainerControl.__name__)
    found = control.get("args", {}) if isinstance(control, dict) else {}
    return bool(found.get("should_training_stop")) and state.global_step < state.max_steps
