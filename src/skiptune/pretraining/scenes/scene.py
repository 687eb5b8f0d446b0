"""Generated scenes: a few coloured shapes on a background, and their images.

A scene comes from a private generator seeded by ``(seed, index)``, so the n-th scene of a seed is the same on every
machine and in every worker. Coordinates and radii are in pixels of a 64 × 64 image, origin at the top left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

SIDE = 64
SUPERSAMPLING = 4

COLORS: dict[str, tuple[int, int, int]] = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "black": (0, 0, 0),
    "gray": (128, 128, 128),
    "teal": (0, 128, 128),
    "brown": (165, 42, 42),
    "yellow": (255, 255, 0),
    "orange": (255, 140, 0),
    "purple": (140, 40, 200),
    "pink": (255, 130, 190),
    "white": (255, 255, 255),
}
SHAPES = ("circle", "rectangle", "triangle", "diamond", "star", "cross")
SIZES = ("small", "medium", "large")
BACKGROUNDS = {"light": 0.6, "dark": 0.15, "shaded": 0.25}
_SIZE_LIMITS = (8.0, 11.5)
_RADIUS_RANGE = (5.0, 16.0)
_GAP = 2.0
_LOWEST_CONTRAST = 90.0


@dataclass(frozen=True)
class Thing:
    """One shape: its name, colour name, drawn colour, centre and half extents (pixels)."""

    shape: str
    color: str
    rgb: tuple[int, int, int]
    x: float
    y: float
    half_width: float
    half_height: float

    @property
    def size(self) -> str:
        """``small``, ``medium`` or ``large``, by the mean half extent."""
        radius = (self.half_width + self.half_height) / 2
        return SIZES[sum(radius >= limit for limit in _SIZE_LIMITS)]

    @property
    def position(self) -> str:
        """The cell of a 3 × 3 grid that holds the centre, as words: ``top left`` … ``center`` … ``bottom right``."""
        row = ("top", "", "bottom")[min(2, int(self.y * 3 / SIDE))]
        column = ("left", "", "right")[min(2, int(self.x * 3 / SIDE))]
        return " ".join(word for word in (row, column) if word) or "center"


@dataclass(frozen=True)
class Scene:
    """The shapes of an image, the name of its background, and the background's colours at the top and the bottom."""

    things: tuple[Thing, ...]
    background: str
    shades: tuple[tuple[int, int, int], tuple[int, int, int]]


@dataclass(frozen=True)
class Style:
    """Limits of a scene: number of shapes, colours and backgrounds, smallest radius (pixels)."""

    max_things: int = 4
    colors: tuple[str, ...] = tuple(COLORS)
    backgrounds: tuple[str, ...] = tuple(BACKGROUNDS)
    smallest_radius: float = _RADIUS_RANGE[0]


def make_scene(seed: int, index: int, style: Style | None = None) -> Scene:
    """Scene ``index`` of ``seed``: three in five have one shape, the others two or more that do not overlap."""
    style = style or Style()
    rng = np.random.default_rng((seed, index))
    weights = np.array([BACKGROUNDS[name] for name in style.backgrounds])
    background = str(rng.choice(style.backgrounds, p=weights / weights.sum()))
    shades = _shades(rng, background)
    count = 1 if rng.random() < 0.6 or style.max_things == 1 else int(rng.integers(2, style.max_things + 1))
    things: list[Thing] = []
    for _ in range(20 * count):
        if len(things) == count:
            break
        thing = _thing(rng, shades, style, crowded=count > 2)
        if thing is not None and not any(_overlap(thing, other) for other in things):
            things.append(thing)
    return Scene(tuple(things), background, shades) if things else make_scene(seed + 1, index, style)


def draw(scene: Scene) -> Image.Image:
    """The image of a scene: RGB, 64 × 64, with antialiased edges."""
    top, bottom = (np.asarray(shade, dtype=np.float32) for shade in scene.shades)
    ramp = np.linspace(0, 1, SIDE * SUPERSAMPLING, dtype=np.float32)[:, None]
    rows = np.rint(top + ramp * (bottom - top)).astype(np.uint8)
    canvas = Image.fromarray(np.repeat(rows[:, None, :], SIDE * SUPERSAMPLING, axis=1))
    pen = ImageDraw.Draw(canvas)
    for thing in scene.things:
        points = [(SUPERSAMPLING * x, SUPERSAMPLING * y) for x, y in _outline(thing)]
        if thing.shape == "circle":
            pen.ellipse(points, fill=thing.rgb)
        else:
            pen.polygon(points, fill=thing.rgb)
    return canvas.resize((SIDE, SIDE), Image.Resampling.BOX)


def _shades(rng: np.random.Generator, background: str) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    low, high = {"light": (225, 256), "dark": (10, 70), "shaded": (60, 256)}[background]
    first = _rgb(rng.integers(low, high, 3))
    return first, _rgb(rng.integers(low, high, 3)) if background == "shaded" else first


def _thing(
    rng: np.random.Generator, shades: tuple[tuple[int, int, int], ...], style: Style, crowded: bool
) -> Thing | None:
    shape, color = str(rng.choice(SHAPES)), str(rng.choice(style.colors))
    rgb = _rgb(np.clip(np.asarray(COLORS[color]) + rng.integers(-18, 19, 3), 0, 255))
    if any(math.dist(rgb, shade) < _LOWEST_CONTRAST for shade in shades):
        return None
    low, high = style.smallest_radius, _RADIUS_RANGE[1]
    high = 11.0 if crowded else high
    half_width = half_height = float(rng.uniform(low, high))
    if shape == "rectangle":
        half_width, half_height = (float(side) for side in rng.uniform(low - 1, high, 2))
    x = float(rng.uniform(half_width, SIDE - half_width))
    y = float(rng.uniform(half_height, SIDE - half_height))
    return Thing(shape, color, rgb, x, y, half_width, half_height)


def _overlap(a: Thing, b: Thing) -> bool:
    return abs(a.x - b.x) < a.half_width + b.half_width + _GAP and abs(a.y - b.y) < a.half_height + b.half_height + _GAP


def _outline(thing: Thing) -> list[tuple[float, float]]:
    """Corner points in pixels; for a circle the two corners of its bounding box."""
    x, y, w, h = thing.x, thing.y, thing.half_width, thing.half_height
    if thing.shape == "circle":
        return [(x - w, y - h), (x + w, y + h)]
    if thing.shape == "rectangle":
        return [(x - w, y - h), (x + w, y - h), (x + w, y + h), (x - w, y + h)]
    if thing.shape == "triangle":
        return [(x - w, y + 0.87 * h), (x, y - 0.87 * h), (x + w, y + 0.87 * h)]
    if thing.shape == "diamond":
        return [(x, y - h), (x + w, y), (x, y + h), (x - w, y)]
    if thing.shape == "star":
        turns = [(math.pi * (k / 5 - 0.5), 1.0 if k % 2 == 0 else 0.42) for k in range(10)]
        return [(x + w * far * math.cos(turn), y + h * far * math.sin(turn)) for turn, far in turns]
    arm = 0.34
    corners = [(-arm, -1), (arm, -1), (arm, -arm), (1, -arm), (1, arm), (arm, arm), (arm, 1), (-arm, 1)]
    corners += [(-arm, arm), (-1, arm), (-1, -arm), (-arm, -arm)]
    return [(x + w * dx, y + h * dy) for dx, dy in corners]


def _rgb(values: np.ndarray) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in values)
    return red, green, blue
