"""Captions of generated scenes: statements, each with a predicate that decides whether it is true of a scene.

A caption is one or two statements. In a *true* caption every statement holds; in a *false* one exactly one does not,
which image-text matching has to find. Truth is decided by evaluating the predicate on the scene, never by how the words
were chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .scene import BACKGROUNDS, COLORS, SHAPES, SIZES, Scene, Thing

COUNTS = ("one", "two", "three", "four")
RELATIONS: dict[str, Callable[[Thing, Thing], bool]] = {
    "left of": lambda a, b: a.x < b.x - 6,
    "right of": lambda a, b: a.x > b.x + 6,
    "above": lambda a, b: a.y < b.y - 6,
    "below": lambda a, b: a.y > b.y + 6,
}
POSITIONS = tuple(
    " ".join(word for word in (row, column) if word) or "center"
    for row in ("top", "", "bottom")
    for column in ("left", "", "right")
)
_TRIES = 200


@dataclass(frozen=True)
class Statement:
    """A sentence, its predicate, and the phrases in it that only the image can tell: candidates for masking."""

    text: str
    holds: Callable[[Scene], bool]
    telling: tuple[str, ...]


@dataclass(frozen=True)
class Caption:
    """The words of one or two statements, and those among them that only the image can tell."""

    words: tuple[str, ...]
    telling: frozenset[str]

    @property
    def text(self) -> str:
        return " ".join(self.words)


def make_caption(scene: Scene, rng: np.random.Generator, true: bool, most: int = 2) -> Caption:
    """At most ``most`` statements; with ``true=False`` exactly one of them does not hold."""
    count = int(rng.integers(1, most + 1))
    parts = [_draw_statement(scene, rng, holds=True) for _ in range(count)]
    if not true:
        parts[int(rng.integers(count))] = _draw_statement(scene, rng, holds=False)
    text = " . ".join(part.text for part in parts).replace("a orange", "an orange")
    telling = " ".join(phrase for part in parts for phrase in part.telling).split()
    return Caption(tuple(text.split()), frozenset(telling))


def _draw_statement(scene: Scene, rng: np.random.Generator, holds: bool) -> Statement:
    common = (_looks, _exists, _attribute, _counts)
    kinds = (*common, _background) if len(scene.things) == 1 else (*common, _relates, _relates)
    for _ in range(_TRIES):
        weights = np.array([3.0, 4.0, 3.0, *[1.0] * (len(kinds) - 3)])
        make = kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]
        statement = make(scene, rng, holds)
        if statement is not None and statement.holds(scene) == holds:
            return statement
    raise RuntimeError(f"no statement with truth {holds} was found for {scene}")


def _pick(rng: np.random.Generator, values: object) -> str:
    return str(rng.choice(list(values)))  # type: ignore[call-overload]


def _seen(scene: Scene, rng: np.random.Generator) -> Thing:
    return scene.things[int(rng.integers(len(scene.things)))]


def _is(thing: Thing, color: str = "", shape: str = "", size: str = "", position: str = "") -> bool:
    return (
        (not color or thing.color == color)
        and (not shape or thing.shape == shape)
        and (not size or thing.size == size)
        and (not position or thing.position == position)
    )


def _words(thing: Thing, rng: np.random.Generator, holds: bool) -> dict[str, str]:
    """The attributes of a shape that is in the scene; for a false statement one of them replaced by another value."""
    words = {"color": thing.color, "shape": thing.shape, "size": thing.size, "position": thing.position}
    if not holds:
        values = {"color": COLORS, "shape": SHAPES, "size": SIZES, "position": POSITIONS}
        field = _pick(rng, ("color", "shape", "color", "shape", "size", "position"))
        words[field] = _pick(rng, values[field])
    return words


def _looks(scene: Scene, rng: np.random.Generator, holds: bool) -> Statement:
    words = _words(_seen(scene, rng), rng, holds)
    if rng.random() < 0.5:
        words["size"] = ""
    if rng.random() < 0.4:
        words["position"] = ""
    name = f"{words['size']} {words['color']} {words['shape']}".strip()
    place = words["position"]
    if not place:
        text = _pick(rng, (f"a {name}", f"there is a {name}", f"the picture shows a {name}"))
    else:
        text = _pick(rng, (f"a {name} at the {place}", f"there is a {name} at the {place}", f"at the {place} a {name}"))
    return Statement(text, lambda s: any(_is(thing, **words) for thing in s.things), tuple(words.values()))


def _exists(scene: Scene, rng: np.random.Generator, holds: bool) -> Statement:
    seen = _seen(scene, rng) if rng.random() < 0.5 else None
    color = seen.color if seen else _pick(rng, COLORS)
    shape = seen.shape if seen else _pick(rng, SHAPES)
    kind = rng.random()
    color, shape = (color, "") if kind < 0.4 else ("", shape) if kind < 0.8 else (color, shape)
    name = f"{color} {shape or 'shape'}".strip()
    there = _pick(
        rng,
        (
            f"there is a {name}",
            f"the image contains a {name}",
            f"a {name} is in the image",
            f"the image does contain a {name}",
            f"a {name} is present",
        ),
    )
    absent = _pick(
        rng,
        (
            f"there is no {name}",
            f"there is not a {name}",
            f"no {name} is in the image",
            f"the image does not contain a {name}",
            f"no {name} is present",
            f"a {name} is absent",
        ),
    )
    if rng.random() < 0.5:
        telling = ("a", "present", color, shape)
        return Statement(there, lambda s: any(_is(thing, color, shape) for thing in s.things), telling)
    return Statement(absent, lambda s: not any(_is(thing, color, shape) for thing in s.things), ("no", "not", "absent"))


def _attribute(scene: Scene, rng: np.random.Generator, holds: bool) -> Statement | None:
    """Name one attribute of the only shape that answers to the other: ``the color of the circle is red``."""
    thing = _seen(scene, rng)
    words = _words(thing, rng, holds)
    asked = _pick(rng, ("color", "shape"))
    other = {"color": "shape", "shape": "color"}[asked]
    alone = len(scene.things) == 1 and rng.random() < 0.5
    words[other] = getattr(thing, other)
    if not alone and sum(getattr(item, other) == words[other] for item in scene.things) != 1:
        return None
    if asked == "color":
        name = "shape" if alone else words["shape"]
        text = _pick(rng, (f"the color of the {name} is {words['color']}", f"the {name} is {words['color']}"))
        color = words["color"]
        return Statement(
            text, lambda s: any((alone or _is(t, shape=name)) and t.color == color for t in s.things), (color,)
        )
    name = "shape" if alone else f"{words['color']} shape"
    text = _pick(rng, (f"the {name} is a {words['shape']}", f"the {name} in the image is a {words['shape']}"))
    shape, color = words["shape"], words["color"]
    return Statement(
        text, lambda s: any((alone or _is(t, color=color)) and t.shape == shape for t in s.things), (shape,)
    )


def _counts(scene: Scene, rng: np.random.Generator, holds: bool) -> Statement:
    number = int(rng.integers(1, 5))
    shape = _pick(rng, ("", _seen(scene, rng).shape))
    number = number if not holds else sum(_is(thing, shape=shape) for thing in scene.things)
    noun = (shape or "shape") + ("" if number == 1 else "es" if shape == "cross" else "s")
    text = f"there {'is' if number == 1 else 'are'} exactly {COUNTS[number - 1]} {noun}"
    holding = lambda s: sum(_is(thing, shape=shape) for thing in s.things) == number  # noqa: E731
    return Statement(text, holding, (COUNTS[number - 1],))


def _background(scene: Scene, rng: np.random.Generator, holds: bool) -> Statement:
    kind = scene.background if holds else _pick(rng, BACKGROUNDS)
    return Statement(f"the background is {kind}", lambda s: s.background == kind, (kind,))


def _relates(scene: Scene, rng: np.random.Generator, holds: bool) -> Statement:
    first, second = (scene.things[k] for k in rng.choice(len(scene.things), 2, replace=False))
    words = _words(first, rng, holds or rng.random() < 0.5)
    relation = _pick(rng, RELATIONS)
    text = f"the {words['color']} {words['shape']} is {relation} the {second.color} {second.shape}"
    color, shape, place = words["color"], words["shape"], RELATIONS[relation]

    def test(s: Scene) -> bool:
        left = [thing for thing in s.things if _is(thing, color, shape)]
        right = [thing for thing in s.things if _is(thing, second.color, second.shape)]
        return any(place(a, b) for a in left for b in right if a is not b)

    return Statement(text, test, (color, shape, relation.removesuffix(" of")))
