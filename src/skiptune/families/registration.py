"""What a family must be to be registered."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from ..core.errors import InputError
from ..core.validation import Problems
from ..layers.blocks import SkippableBlock
from .block_kind import BlockKind
from .family import Family

_CALLED = ("blocks", "sizes", "below", "unread", "image_processor", "fresh_processor")
_CALLED_IF_THERE = ("adopt", "adopt_encoders", "adopt_halves", "encoders", "add_prompts", "example_inputs")


def check_family_row(family: object) -> None:
    """Refuse what describes no family, as far as can be told without a model of it.

    Raises:
        InputError: all problems in one message.
    """
    if not isinstance(family, Family):
        raise InputError(f"family: {family!r} is not a Family")
    problems = Problems(f"family {family.name!r} cannot be registered")
    problems.check(bool(family.name), "name: expected a config.model_type")
    _check_kinds(problems, family.kinds)
    _check_classes(problems, family)
    for name in _CALLED:
        problems.check(callable(getattr(family, name)), f"{name}: {getattr(family, name)!r} is not a function")
    for name in _CALLED_IF_THERE:
        given = getattr(family, name)
        problems.check(given is None or callable(given), f"{name}: {given!r} is neither a function nor None")
    prefixes = family.base_prefix if isinstance(family.base_prefix, tuple) else (family.base_prefix,)
    fine = bool(prefixes) and all(isinstance(prefix, str) and prefix.endswith(".") for prefix in prefixes)
    problems.check(fine, f"base_prefix: {family.base_prefix!r} is not a prefix of parameter names, e.g. 'vilt.'")
    for name in ("small_parts", "poolers", "decayed_norms"):
        given = getattr(family, name)
        fine = isinstance(given, tuple) and all(isinstance(prefix, str) and prefix for prefix in given)
        problems.check(fine, f"{name}: {given!r} is not a tuple of prefixes of parameter names")
    problems.raise_any()


def _check_kinds(problems: Problems, kinds: object) -> None:
    fine = isinstance(kinds, tuple) and len(kinds) > 0 and all(isinstance(kind, BlockKind) for kind in kinds)
    problems.check(fine, f"kinds: {kinds!r} is not a tuple of at least one BlockKind")
    for kind in kinds if isinstance(kinds, tuple) and fine else ():
        block = kind.block_class
        if not (isinstance(block, type) and issubclass(block, SkippableBlock)):
            problems.add(f"kinds: {block!r} does not inherit from SkippableBlock")
        elif not _in_front(block):
            problems.add(f"kinds: {block.__name__} must inherit from SkippableBlock first, then from the model's class")


def _in_front(block: type[SkippableBlock]) -> bool:
    """Whether the class's own ``forward`` or that of :class:`SkippableBlock` runs, and not the model's."""
    owner = next(kind for kind in block.__mro__ if "forward" in vars(kind))
    return owner is not nn.Module and issubclass(owner, SkippableBlock)


def _check_classes(problems: Problems, family: Family) -> None:
    kind = getattr(family.config_class, "model_type", None)
    problems.check(kind == family.name, f"name: {family.name!r}, and the model_type of config_class is {kind!r}")
    for model_class in (*family.model_classes.values(), *family.bare_classes):
        own = getattr(model_class, "config_class", None)
        name = getattr(model_class, "__name__", repr(model_class))
        problems.check(own is family.config_class, f"model_classes: {name} has another config_class")
    pair = family.processor_classes
    fine = pair is None or (isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(one, type) for one in pair))
    problems.check(fine, f"processor_classes: {pair!r} is not the classes of the processor and of its images")


def refuse_taken(family: Family, taken: bool, others: Sequence[Family]) -> None:
    """Refuse a family that could not be told from another.

    Args:
        family: the new one.
        taken: whether its name is.
        others: families that are there.

    Raises:
        InputError: all problems in one message.
    """
    problems = Problems(f"family {family.name!r} cannot be registered")
    problems.check(not taken, "name: there is a family of this name; replace=True replaces one that was registered")
    for other in others:
        if family.processor_classes and other.processor_classes:
            processor = family.processor_classes[0]
            problems.check(
                processor is not other.processor_classes[0],
                f"processor_classes: {processor.__name__} belongs to {other.name}, and tasks know a family by its "
                "processor; make a subclass of it",
            )
    problems.raise_any()
