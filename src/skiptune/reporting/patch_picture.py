"""A picture of the patches that live on: sample pictures, and what a model still sees of them from block to block."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .plot_style import PLOT_STYLE, literal

_Array: TypeAlias = NDArray[Any]
_Line: TypeAlias = list[tuple[float, float]]
#: Of the outlines, one after the other: the colours of Okabe and Ito, and white.
_OUTLINES = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#FFFFFF")
_SIDE = 2.0  # inches of a picture
_DARK = 0.18  # of the light of a patch that was left out
_BLENDED = 0.7  # how much of a merged patch is the mean


def patch_picture(pictures: Sequence[_Array], living: Sequence[Mapping[str, _Array]], patch: int) -> bytes:
    """A PNG with a row for every picture: the picture, and then what lives on from before each of the blocks.

    Patches that were left out are dark. Merged ones have the mean of their colours, and outlines of one colour.

    Args:
        pictures: each ``(height, width, 3)``, from 0 to 1.
        living: of each, block → which patches each token stands for, ``(tokens, patches)``.
        patch: height and width of a patch in pixels.
    """
    heights = [_SIDE * picture.shape[0] / picture.shape[1] for picture in pictures]
    with matplotlib.rc_context(PLOT_STYLE):
        figure = Figure((_SIDE * (1 + len(living[0])), sum(heights) + 0.25 * len(heights)), layout="constrained")
        panels = figure.subplots(len(pictures), 1 + len(living[0]), squeeze=False, height_ratios=heights)
        for row, picture, found in zip(panels, pictures, living, strict=True):
            _show(row[0], picture)
            row[0].set_title(f"{next(iter(found.values())).shape[1]} patches")
            for axes, (name, groups) in zip(row[1:], found.items(), strict=True):
                _show(axes, *_living(picture, groups, patch))
                axes.set_title(f"from block {literal(name)} on: {len(groups)}")
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def _living(picture: _Array, groups: _Array, patch: int) -> tuple[_Array, LineCollection]:
    """The picture as the tokens ``groups`` (tokens, patches) stand for it, and outlines of the merged ones."""
    rows, columns = picture.shape[0] // patch, picture.shape[1] // patch
    owner = np.where(groups.any(0), groups.argmax(0), -1).reshape(rows, columns)
    shown = picture[: rows * patch, : columns * patch].copy()
    tiles = shown.reshape(rows, patch, columns, patch, 3).transpose(0, 2, 1, 3, 4)  # a view
    tiles[owner == -1] *= _DARK
    lines: list[_Line] = []
    colors: list[str] = []
    for token in (groups.sum(1) > 1).nonzero()[0]:
        own = owner == token
        tiles[own] = (1 - _BLENDED) * tiles[own] + _BLENDED * tiles[own].mean((0, 1, 2))
        edges = _edges(own, patch)
        lines += edges
        colors += [_OUTLINES[token % len(_OUTLINES)]] * len(edges)
    return shown, LineCollection(lines, colors=colors, linewidths=1.4)


def _edges(own: _Array, patch: int) -> list[_Line]:
    """Lines around the patches of a token, in pixels, a little inside of them."""
    padded, inset = np.pad(own, 1), 0.08 * patch
    found: list[_Line] = []
    for row, column in zip(*own.nonzero(), strict=True):
        around = padded[row : row + 3, column : column + 3]  # lines go on into patches of the same token
        top = row * patch - 0.5 + inset * (not around[0, 1])
        bottom = (row + 1) * patch - 0.5 - inset * (not around[2, 1])
        left = column * patch - 0.5 + inset * (not around[1, 0])
        right = (column + 1) * patch - 0.5 - inset * (not around[1, 2])
        sides = {
            (0, 1): [(left, top), (right, top)],
            (2, 1): [(left, bottom), (right, bottom)],
            (1, 0): [(left, top), (left, bottom)],
            (1, 2): [(right, top), (right, bottom)],
        }
        found += [line for side, line in sides.items() if not around[side]]
    return found


def _show(axes: Axes, picture: _Array, outlines: LineCollection | None = None) -> None:
    axes.imshow(picture, interpolation="nearest")
    axes.set_axis_off()
    if outlines is not None:
        axes.add_collection(outlines)
