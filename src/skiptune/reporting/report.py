"""The report card of a run: ``report.html`` to look at, one file that loads nothing, and ``report.md`` to paste."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from ..core.files import write_text
from ..core.templates import render
from ..plan import TokenSchedule
from .baseline_table import baseline_tables
from .headlines import headlines, subtitle
from .recipe_text import recipe_text
from .results import Results
from .sample_cards import sample_cards
from .tables import tables

#: In a run's directory: which patches live on, if image tokens become fewer.
PATCHES = "patches.png"


@dataclass(frozen=True)
class Block:
    """A block of the model, whether it is skipped, and what happens to image tokens there."""

    name: str
    skipped: bool
    preference: str
    tokens: str

    @property
    def state(self) -> str:
        return "skipped" if self.skipped else "kept"


def write_report(folder: Path, results: Results) -> None:
    """Write ``report.html`` and ``report.md`` into ``folder``, each whole or not at all.

    Missing parts of ``results`` are left out. ``folder`` is made if it does not exist.

    Raises:
        RunError: the disk is full or not writable.
    """
    from .figures import figures  # matplotlib is slow to import

    content = {
        "subtitle": subtitle(results),
        "headlines": headlines(results),
        "blocks": _blocks(results),
        "blocks_note": _blocks_note(results),
        "baseline_tables": baseline_tables(results),
        "tables": tables(results),
        "unit": results.metric.unit,
        "samples": sample_cards(results.samples),
        "recipe": recipe_text(results),
        "patches": _patches(folder / PATCHES, results),
    }
    pages = {
        # text and tables only: most viewers do not show images inside Markdown
        "report.md": render(__package__, "report.md.j2", **content),
        "report.html": render(__package__, "report.html.j2", **content, figures=figures(results)),
    }
    for name, text in pages.items():
        # file names may have bytes that are not UTF-8, which Python keeps as surrogates
        write_text(folder / name, text.encode("utf-8", "replace").decode("utf-8"))


def _blocks(results: Results) -> list[Block]:
    plan = results.plan
    if plan is None:
        return []
    preferences = plan.preferences or {}
    texts = {name: f"{value:+.3f}".replace("-", "−") for name, value in preferences.items()}
    return [Block(name, name in plan.skipped, texts.get(name, "–"), _tokens(plan.tokens, name)) for name in plan.blocks]


def _tokens(schedule: TokenSchedule | None, name: str) -> str:
    """What happens to image tokens at a block; empty: nothing."""
    share = schedule and schedule.keep.get(name)
    fewer = [f"from here on {share:.0%} of the image tokens"] if share else []
    frozen = ["image tokens pass unchanged"] if schedule and name in schedule.frozen else []
    return ", ".join([*fewer, *frozen])


@dataclass(frozen=True)
class Patches:
    """The picture of the patches that live on: its ``data:`` address, and what is to be seen, in words."""

    picture: str
    told: str


def _patches(path: Path, results: Results) -> Patches | None:
    if results.plan is None or results.plan.tokens is None or not path.is_file():
        return None
    kept = [f"from block {name} on {share:.0%}" for name, share in results.plan.tokens.keep.items()]
    told = (
        f"Sample pictures, and what is left of their patches: {', '.join(kept)}. Patches that were left out are dark; "
        "those that became one have one colour and an outline."
    )
    return Patches("data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii"), told)


def _blocks_note(results: Results) -> str:
    """Why the skipped blocks are not those of the highest preferences; empty where they are."""
    plan = results.plan
    if plan is None or plan.strategy != "bandit" or not plan.preferences or not plan.skipped:
        return ""
    least = min(plan.preferences.get(name, 0.0) for name in plan.skipped)
    if all(value <= least for name, value in plan.preferences.items() if name not in plan.skipped):
        return ""
    return (
        "The search chooses a set of blocks, by what is expected of them together. A preference is an average over the "
        "sets with and without a block, so a block of higher preference may be kept."
    )
