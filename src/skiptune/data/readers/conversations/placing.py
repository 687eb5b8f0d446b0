"""Bring the images of a row to their places in its turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ....core.errors import InputError
from ....core.formatting import counted
from .said import Place, Said

#: An image with its name in messages.
Named = tuple[str, Any]


def placed(turns: list[Said], beside: Sequence[Named], in_front: bool) -> tuple[list[Said], list[Named]]:
    """The turns with as many places as images, and the images in the order of their places.

    Args:
        turns: of the row.
        beside: the images beside them.
        in_front: whether images that no turn has a place for stand before the first question.

    Raises:
        InputError: there are more places than images, or more images than places.
    """
    waiting = sum(place.image is None for turn in turns for place in turn.places)
    in_front = in_front and not any(turn.typed for turn in turns if turn.role == "user")
    if beside and not waiting and in_front:
        turns, waiting = _before_first_question(turns, len(beside)), len(beside)
    if waiting != len(beside):
        found = f"{counted(len(beside), 'images')} and {counted(waiting, 'places')}"
        advice = _advice(waiting, len(beside), in_front)
        raise InputError(f"images: {found} for them (<image> or parts of type image); {advice}")
    rest = iter(beside)
    images: list[Named] = []
    for turn in turns:
        for place in turn.places:
            images.append(next(rest) if place.image is None else (f"{turn.field}: image", place.image))
    return turns, images


def _before_first_question(turns: list[Said], count: int) -> list[Said]:
    first = next((number for number, turn in enumerate(turns) if turn.role == "user"), None)
    if first is None:
        return turns
    asked = turns[first]
    whole = replace(asked, parts=(*[Place()] * count, *asked.parts))
    return [*turns[:first], whole, *turns[first + 1 :]]


def _advice(places: int, images: int, in_front: bool) -> str:
    if not images:
        return "name the images in image or images, or take <image> out"
    if not places:
        return "the model would not see what no place is for; write <image> where each stands"
    every = ", or none at all, then they stand before the first question" if in_front else ""
    return f"every image needs one place{every}"
