"""The figures of the report card, drawn without a display and returned as images to put into a page.

Colours are those of Okabe and Ito; hatching, dashes or labels show the same.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

from ..core.formatting import change, milliseconds
from ..core.measured_text import TIMED, latency_verdict
from ..core.measurements import Latency, Timing
from .plot_style import BLUE, FONT_SIZE, GREY, INK, PLOT_STYLE, PURPLE, SKY, VERMILLION, literal
from .result_sections import ChosenPlan, History

_MODEL_COLORS = {"original": GREY, "unskipped": SKY, "slim": BLUE}

_SIZE = (5.6, 2.9)  # inches; half the page
#: Line of a loss → its dash, colour and width.
_LOSSES = {"search": ("--", PURPLE, 1.6), "training": ("-", INK, 1.6), "validation": ("-", BLUE, 1.2)}
#: Of the longest bar; what stands beside it needs the rest.
_ROOM = 1.85
_LABELS_FIT = 16  # labels of one line each beside a figure of that height


def preferences_plot(plan: ChosenPlan) -> str:
    """Bars of the final preferences in model order; skipped blocks hatched and named in the legend."""
    blocks, skipped, preferences = plan.blocks, plan.skipped, plan.preferences or {}
    with matplotlib.rc_context(PLOT_STYLE):
        figure, axes = _figure()
        for state, color, hatch in (("kept", BLUE, ""), ("skipped", VERMILLION, "////")):
            places = [k for k, name in enumerate(blocks) if (name in skipped) == (state == "skipped")]
            heights = [preferences.get(blocks[k], 0.0) for k in places]
            if places:
                axes.bar(places, heights, 0.75, color=color, hatch=hatch, edgecolor="white", linewidth=0, label=state)
        crowded = len(blocks) > _LABELS_FIT or max(map(len, blocks)) > 3
        axes.set_xticks(range(len(blocks)), [literal(name) for name in blocks], rotation=90 if crowded else 0)
        if len(blocks) > 2 * _LABELS_FIT:
            axes.tick_params(axis="x", labelsize=max(4, FONT_SIZE * 2 * _LABELS_FIT / len(blocks)))
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.set(xlabel="block", ylabel="preference (higher: skip)")
        _legend_above(axes)
        return _image(figure)


def rounds_plot(plan: ChosenPlan) -> str:
    """The preferences over the rounds, one line per block; each holds until the next update.

    Rounds during the training have their step; without one, they are numbered.
    """
    blocks, rounds, skipped = plan.blocks, plan.rounds, plan.skipped
    with matplotlib.rc_context(PLOT_STYLE):
        figure, axes = _figure()
        numbers = [entry.step for entry in rounds if entry.step is not None]
        stepped = len(numbers) == len(rounds)
        steps = [0, *(numbers if stepped else range(1, len(rounds) + 1))]
        states = set()
        for k in sorted(range(len(blocks)), key=lambda k: blocks[k] in skipped):  # skipped ones on top
            name, values = blocks[k], [0.0, *(entry.preferences[k] for entry in rounds)]
            state, color, dash, width = _line(name in skipped)
            label = state if state not in states else None
            states.add(state)
            axes.plot(steps, values, dash, color=color, linewidth=width, drawstyle="steps-post", label=label)
        label = "optimizer step of the search" if stepped else "round of comparisons"
        axes.set(xlabel=label, ylabel="preference (higher: skip)", xlim=(0, max(steps) or 1))
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
        named = [k for k, name in enumerate(blocks) if name in skipped or len(blocks) <= _LABELS_FIT]
        _name_lines(axes, {literal(blocks[k]): rounds[-1].preferences[k] for k in named}, set(map(literal, skipped)))
        _legend_above(axes)
        return _image(figure)


def losses_plot(history: History, continued: bool) -> str:
    """Logged training losses by step, and those on the validation records where they were measured; the scale is
    logarithmic when they fall a long way.

    Args:
        history: of the search, and of the training with the plan, whose steps are counted from 1 on.
        continued: whether the training goes on where the search ended. It is one line then, with a mark where the plan
            was fixed; else there are two lines, as there were two trainings.
    """
    with matplotlib.rc_context(PLOT_STYLE):
        figure, axes = _figure()
        fixed = history.search[-1].step if continued and history.search else 0
        after = [(entry.step + fixed, entry.loss) for entry in history.train]
        searched = [(entry.step, entry.loss) for entry in history.search]
        lines = {"training": [*searched, *after]} if fixed else {"search": searched, "training": after}
        lines["validation"] = [(entry.step + fixed, entry.loss) for entry in history.evaluations]
        for name, places in lines.items():
            if places:
                dash, color, width = _LOSSES[name]
                marker = "o" if len(places) == 1 or name == "validation" else None
                style: Any = {"linewidth": width, "marker": marker, "markersize": 4, "label": name}
                axes.plot(*zip(*places, strict=True), dash, color=color, **style)
        if fixed:
            axes.axvline(fixed, color=VERMILLION, linestyle=":", linewidth=1.4, label="the plan is fixed")
        best = [place for place in lines["validation"] if place[0] - fixed == history.best_step]
        if best:
            axes.plot(*best[0], "*", color=BLUE, markersize=11, label="the weights that were kept")
        _scale_losses(axes, [loss for places in lines.values() for _, loss in places])
        axes.set(xlabel="optimizer step", ylabel="loss")
        axes.set_xlim(left=0)
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
        axes.grid(axis="y", color="#e4e4e4", linewidth=0.8)
        _legend_above(axes)
        return _image(figure)


def _scale_losses(axes: Axes, losses: Sequence[float]) -> None:
    """From 0 on, or logarithmic."""
    if min(losses) > 0 and max(losses) <= 5 * min(losses):
        axes.set_ylim(0, 1.1 * max(losses))
    elif min(losses) > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_locator(LogLocator(subs=()))


def latency_plot(latency: Latency) -> str:
    """Milliseconds of a forward pass, one panel per batch size: medians as bars, 10th to 90th percentile as
    whiskers."""
    with matplotlib.rc_context(PLOT_STYLE):
        height = max(_SIZE[1], 0.3 + 1.3 * len(latency.batches))
        figure = Figure((_SIZE[0], height), layout="constrained")
        panels = figure.subplots(len(latency.batches), squeeze=False)[:, 0]
        for axes, (batch, rows) in zip(panels, latency.batches.items(), strict=True):
            axes.set_title(f"batch of {batch}")
            _latency_bars(axes, rows)
        return _image(figure)


def _latency_bars(axes: Axes, timings: Mapping[str, Timing]) -> None:
    names = [name for name in TIMED if name in timings]
    longest = max(_or_median(timings[name], timings[name].p90_s) for name in names)
    for place, name in enumerate(names):
        timing = timings[name]
        low, middle, high = (_or_median(timing, value) for value in (timing.p10_s, timing.median_s, timing.p90_s))
        axes.barh(place, middle, 0.7, color=_MODEL_COLORS[name])
        axes.plot([low, high], [place, place], color=INK, linewidth=1.2, marker="|", markersize=6)
        against = "" if name == "original" else latency_verdict(timing) or change(timing.ratio - 1)
        text = f"{milliseconds(middle / 1e3)}  {against}".rstrip()
        axes.text(max(middle, high) + 0.03 * longest, place, text, va="center", color=INK)
    axes.set_yticks(range(len(names)), [TIMED[name] for name in names])
    axes.set_xlim(0, _ROOM * longest)  # room for the longest label beside the longest bar
    axes.invert_yaxis()
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0)
    axes.spines["bottom"].set_visible(False)


def _or_median(timing: Timing, seconds: float | None) -> float:
    """Milliseconds; those of the median where a percentile was not recorded."""
    return 1e3 * (timing.median_s if seconds is None else seconds)


def _line(skipped: bool) -> tuple[str, str, str, float]:
    """State, colour, dash and width of a block's line."""
    return ("skipped", VERMILLION, "-", 1.8) if skipped else ("kept", BLUE, "--", 1.0)


def _name_lines(axes: Axes, ends: Mapping[str, float], skipped: set[str]) -> None:
    """Name every line at its right end, the names moved apart where lines end close together."""
    if not ends:
        return
    size = min(FONT_SIZE - 1.0, (FONT_SIZE - 1.0) * _LABELS_FIT / len(ends))
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    names = sorted(ends, key=lambda name: ends[name])
    places = moved_apart([ends[name] for name in names], low, high, (high - low) / max(_LABELS_FIT, len(ends)))
    for name, place in zip(names, places, strict=True):
        color = _line(name in skipped)[1]
        axes.annotate(
            name,
            xy=(1, ends[name]),
            xytext=(1.05, place),
            xycoords=axes.get_yaxis_transform(),
            va="center",
            fontsize=size,
            color=color,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": color,
                "linewidth": 0.6,
                "shrinkA": 1,
                "shrinkB": 1,
                "relpos": (0, 0.5),
            },
        )


def moved_apart(values: Sequence[float], low: float, high: float, gap: float) -> list[float]:
    """Move ascending ``values`` at least ``gap`` apart within ``[low, high]``; those far enough apart stay."""
    places = list(values)
    for k in range(1, len(places)):
        places[k] = max(places[k], places[k - 1] + gap)
    limit = high
    for k in reversed(range(len(places))):
        places[k] = min(places[k], limit)
        limit = places[k] - gap
    return [max(place, low + k * gap) for k, place in enumerate(places)]


def _figure() -> tuple[Figure, Axes]:
    figure = Figure(_SIZE, layout="constrained")
    return figure, figure.subplots()


def _legend_above(axes: Axes) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0)


def _image(figure: Figure) -> str:
    """The figure as a ``data:`` address."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
