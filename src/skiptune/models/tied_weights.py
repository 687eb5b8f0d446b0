"""Weights with two names, as the embedding of words and the head of a language model: files have them once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")


def without_tied(model: Any, state: Mapping[str, T]) -> dict[str, T]:
    """A state dictionary of ``model`` with each weight under its first name only."""
    return {name: value for name, value in state.items() if _tied(model).get(name) not in state}


def with_tied(model: Any, state: Mapping[str, T]) -> dict[str, T]:
    """``state`` with the further names that its weights have in ``model``."""
    further = {name: state[first] for name, first in _tied(model).items() if first in state}
    return {**further, **state}


def _tied(model: Any) -> Mapping[str, str]:
    """Further names → first names."""
    return getattr(model, "all_tied_weights_keys", None) or {}
