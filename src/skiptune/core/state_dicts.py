"""The strict check of state dictionaries: every key that a model has, no other, each in the model's size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from .errors import InputError
from .validation import Problems

if TYPE_CHECKING:
    from torch import Tensor

#: Parameter names → sizes.
Shapes: TypeAlias = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Misfit:
    """Names in which two state dictionaries differ, sorted; false where they do not.

    Attributes:
        missing: wanted and not there.
        unknown: there and not wanted.
        sizes: in both, in different sizes.
    """

    missing: list[str]
    unknown: list[str]
    sizes: list[str]

    def __bool__(self) -> bool:
        return bool(self.missing or self.unknown or self.sizes)


def shapes_of(state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """The size of every tensor."""
    return {name: tuple(value.shape) for name, value in state.items()}


def compare_shapes(wanted: Shapes, found: Shapes) -> Misfit:
    """In which names the state dictionary that was found is not the one that is wanted."""
    sizes = sorted(name for name in wanted.keys() & found.keys() if tuple(wanted[name]) != tuple(found[name]))
    return Misfit(sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys()), sizes)


def add_misfit(problems: Problems, wanted: Shapes, found: Shapes) -> None:
    """Add a problem for every name in which the state dictionary that was found is not the one that is wanted."""
    misfit = compare_shapes(wanted, found)
    for name in misfit.missing:
        problems.add(f"{name}: missing")
    for name in misfit.unknown:
        problems.add(f"{name}: left over, the model has no such weight")
    for name in misfit.sizes:
        problems.add(f"{name}: {tuple(found[name])}, the model has {tuple(wanted[name])}")


def refuse_misfit(subject: str, wanted: Shapes, found: Shapes) -> None:
    """Refuse a state dictionary that does not fit.

    Raises:
        InputError: the first three names of each kind that differ, after ``subject``.
    """
    if misfit := compare_shapes(wanted, found):
        missing, unknown, sizes = misfit.missing[:3], misfit.unknown[:3], misfit.sizes[:3]
        raise InputError(f"{subject}: missing {missing}, unknown {unknown}, other sizes {sizes}")
