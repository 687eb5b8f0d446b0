"""A task whose rows are as long as they are, to compare with what training cuts."""

from __future__ import annotations

from ..core.validation import LARGEST
from ..tasks.generation.task import Generation


def uncut(task: Generation) -> Generation:
    """The same task with room for conversations of any length."""
    found = type(task)(task.processor, **{**task.settings(), "max_length": LARGEST})
    found.inputs.max_length = LARGEST  # whatever the tokenizer allows
    return found
