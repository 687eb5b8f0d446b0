"""Questions that a generated scene settles, with their answers; every answer is read off the scene."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..scenes.captions import COUNTS, RELATIONS, make_caption
from ..scenes.scene import BACKGROUNDS, COLORS, SHAPES, Scene, Thing

_COLORS = tuple(COLORS)
_BACKGROUNDS = tuple(BACKGROUNDS)
_OPPOSITE = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
_THERE = (
    "is there a {0}?",
    "is there a {0} in the image?",
    "does the image contain a {0}?",
    "is a {0} present?",
    "is a {0} in the picture?",
    "does the picture show a {0}?",
    "can you see a {0}?",
)
_ABSENT = (
    "is there no {0}?",
    "is there no {0} in the image?",
    "is there not a {0}?",
    "is there not a {0} in the image?",
    "does the image not contain a {0}?",
    "is no {0} present?",
    "is no {0} in the picture?",
    "is a {0} absent?",
)
_COLOR = ("what color is the {0}?", "what is the color of the {0}?", "which color does the {0} have?")
_SHAPE = ("what is the {0}?", "what shape is the {0}?", "which shape is the {0}?")
_ONLY_SHAPE = (
    "what shape is in the image?",
    "what shape does the image contain?",
    "what shape is present?",
    "which shape is in the picture?",
)
_PLACE = ("where is the {0}?", "where in the image is the {0}?", "in which part of the picture is the {0}?")
_COUNT = ("how many {0} are there?", "how many {0} are in the image?", "how many {0} does the picture show?")
_SIZE = ("how large is the {0}?", "what size is the {0}?", "is the {0} small, medium or large?")
_BACKGROUND = ("what is the background like?", "is the background light, dark or shaded?", "how is the background?")
_TRUE = ("is it true that {0}?", "true or false: {0}?", "yes or no: {0}?")
_LONG = ("describe the image.", "describe the picture.", "describe all shapes.", "what is where in the image?")
_SHORT = ("what does the picture show?", "what is in the image?", "which shapes are in the picture?")


@dataclass(frozen=True)
class Question:
    """A question of a kind (a name of :data:`KINDS`) and its answer, both as a user would read them."""

    kind: str
    text: str
    answer: str


def _article(text: str) -> str:
    return text.replace("a orange", "an orange")


def _named(thing: Thing, scene: Scene, rng: random.Random, but: str = "") -> str | None:
    """Words that fit ``thing`` alone in the scene and do not tell the attribute ``but``."""
    names = [("", "shape")] if len(scene.things) == 1 else []
    if but != "shape":
        names += [("", thing.shape), (thing.color, thing.shape)]
    if but != "color":
        names += [(thing.color, "shape")]
    names = [name for name in names if not (but == "color" and name[0])]
    rng.shuffle(names)
    for color, shape in names:
        alike = [t for t in scene.things if color in ("", t.color) and shape in ("shape", t.shape)]
        if len(alike) == 1:
            return f"{color} {shape}".strip()
    return None


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"


def _color(scene: Scene, rng: random.Random) -> Question | None:
    thing = rng.choice(scene.things)
    name = _named(thing, scene, rng, but="color")
    return Question("color", rng.choice(_COLOR).format(name), thing.color) if name else None


def _shape(scene: Scene, rng: random.Random) -> Question | None:
    thing = rng.choice(scene.things)
    if len(scene.things) == 1 and rng.random() < 0.6:
        return Question("shape", rng.choice(_ONLY_SHAPE), thing.shape)
    name = _named(thing, scene, rng, but="shape")
    return Question("shape", rng.choice(_SHAPE).format(name), thing.shape) if name else None


def _place(scene: Scene, rng: random.Random) -> Question | None:
    thing = rng.choice(scene.things)
    name = _named(thing, scene, rng)
    return Question("place", rng.choice(_PLACE).format(name), thing.position) if name else None


def _size(scene: Scene, rng: random.Random) -> Question | None:
    thing = rng.choice(scene.things)
    name = _named(thing, scene, rng)
    return Question("size", rng.choice(_SIZE).format(name), thing.size) if name else None


def _plural(shape: str) -> str:
    return shape + ("es" if shape == "cross" else "s")


def _count(scene: Scene, rng: random.Random) -> Question:
    shape = rng.choice(("", rng.choice(scene.things).shape, rng.choice(SHAPES)))
    number = sum(shape in ("", thing.shape) for thing in scene.things)
    answer = ("zero", *COUNTS)[number]
    return Question("count", rng.choice(_COUNT).format(_plural(shape or "shape")), answer)


def _object(scene: Scene, rng: random.Random, there: bool) -> str:
    """A colour, a shape or both that some shape of the scene has (``there``), or none."""
    while True:
        kind = rng.random()
        seen = rng.choice(scene.things)
        color, shape = (seen.color, seen.shape) if there else (rng.choice(_COLORS), rng.choice(SHAPES))
        if kind < 0.4:
            color = ""
        elif kind < 0.8:
            shape = "shape"
        elif not there and rng.random() < 0.7:  # half right: harder to refuse
            color, shape = (seen.color, shape) if rng.random() < 0.5 else (color, seen.shape)
        if there == any(color in ("", t.color) and shape in ("shape", t.shape) for t in scene.things):
            return f"{color} {shape}".strip()


def _presence(scene: Scene, rng: random.Random) -> Question:
    there = rng.random() < 0.5
    return Question("presence", _article(rng.choice(_THERE).format(_object(scene, rng, there))), _yes(there))


def _absence(scene: Scene, rng: random.Random) -> Question:
    there = rng.random() < 0.5
    return Question("absence", _article(rng.choice(_ABSENT).format(_object(scene, rng, there))), _yes(not there))


def _background(scene: Scene, rng: random.Random) -> Question:
    if rng.random() < 0.5:
        return Question("background", rng.choice(_BACKGROUND), scene.background)
    kind = scene.background if rng.random() < 0.5 else rng.choice(_BACKGROUNDS)
    return Question("background", f"is the background {kind}?", _yes(kind == scene.background))


def _relation(scene: Scene, rng: random.Random) -> Question | None:
    if len(scene.things) < 2:
        return None
    first, second = rng.sample(scene.things, 2)
    one, other = _named(first, scene, rng), _named(second, scene, rng)
    holding = [name for name, holds in RELATIONS.items() if holds(first, second)]
    if not (one and other and holding):
        return None
    relation = rng.choice(holding)
    if rng.random() < 0.4:
        pair = sorted((relation, _OPPOSITE[relation]), key=lambda _: rng.random())
        return Question("relation", f"is the {one} {pair[0]} or {pair[1]} the {other}?", relation)
    true = rng.random() < 0.5
    asked = relation if true else _OPPOSITE[relation]
    return Question("relation", f"is the {one} {asked} the {other}?", _yes(true))


def _statement(scene: Scene, rng: random.Random) -> Question:
    true = rng.random() < 0.5
    caption = make_caption(scene, np.random.default_rng(rng.getrandbits(32)), true=true, most=1)
    return Question("statement", rng.choice(_TRUE).format(caption.text), _yes(true))


def _caption(scene: Scene, rng: random.Random) -> Question:
    """All shapes in reading order: row by row, from left to right."""
    things = sorted(scene.things, key=lambda t: ("top" not in t.position, "bottom" in t.position, t.x))
    if rng.random() < 0.5:
        answer = " and ".join(f"a {t.color} {t.shape}" for t in things)
        return Question("caption", rng.choice(_SHORT), _article(answer))
    answer = ", ".join(f"a {t.size} {t.color} {t.shape} at the {t.position}" for t in things)
    return Question("caption", rng.choice(_LONG), _article(answer))


#: The kinds of question, each with its maker and its weight among questions.
KINDS: dict[str, tuple[Callable[[Scene, random.Random], Question | None], float]] = {
    "color": (_color, 2.0),
    "shape": (_shape, 3.0),
    "place": (_place, 1.0),
    "count": (_count, 1.0),
    "presence": (_presence, 3.0),
    "absence": (_absence, 2.5),
    "size": (_size, 0.7),
    "background": (_background, 0.5),
    "relation": (_relation, 2.0),
    "statement": (_statement, 1.5),
    "caption": (_caption, 1.2),
}
_NAMES = tuple(KINDS)
_WEIGHTS = tuple(weight for _, weight in KINDS.values())


def ask(scene: Scene, rng: random.Random, count: int) -> tuple[Question, ...]:
    """``count`` different questions about ``scene``, in random order."""
    found: dict[str, Question] = {}
    while len(found) < count:
        kind = rng.choices(_NAMES, _WEIGHTS)[0]
        question = KINDS[kind][0](scene, rng)
        if question is not None:
            found[question.text] = question
    return tuple(found.values())
