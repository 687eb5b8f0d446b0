"""Answers and facts as HTML. Every text that is not the page's own is escaped by the templates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..answering.asking import Answered
from ..core.templates import render
from ..plan.block_names import stack_of
from ..tasks.answer import Answer
from .shown_model import ShownModel


@dataclass(frozen=True)
class Row:
    """An answer: its text, its number as text, and the length of its bar in percent; ``None``: it has no bar."""

    answer: str
    number: str
    percent: float | None


@dataclass(frozen=True)
class Card:
    """What a model says.

    Attributes:
        kind: what the model is, in a few words.
        rows: answers, best first.
        unit: of their numbers.
        written: a text in place of rows; ``None``: there is none.
        waiting: whether more of it comes.
        time: how long it took.
        error: why there is no answer.
    """

    name: str
    kind: str
    rows: tuple[Row, ...] = ()
    unit: str = "probability"
    written: str | None = None
    waiting: bool = False
    time: str = ""
    error: str = ""


def empty_card(model: ShownModel) -> Card:
    """Before anything is asked."""
    blocks, skipped = model.facts.blocks, () if model.whole else model.facts.skipped
    kind = f"all {len(blocks)} blocks" if not skipped else f"{len(blocks) - len(skipped)} of {len(blocks)} blocks"
    return Card(model.name, kind)


def answered_card(model: ShownModel, answered: Answered, time: str) -> Card:
    """With its answers, and how long they took."""
    card = replace(empty_card(model), time=time)
    first = answered.answers[0]
    if first.probability is None and first.score is None:
        written = f"{first.answer:.4g}" if isinstance(first.answer, float) else str(first.answer)
        return replace(card, written=written or "(nothing)")
    unit = "probability" if first.score is None else "score"
    return replace(card, rows=tuple(map(_row, answered.answers)), unit=unit)


def _row(answer: Answer) -> Row:
    if answer.probability is not None:
        return Row(str(answer.answer), f"{answer.probability:.1%}", 100 * answer.probability)
    return Row(str(answer.answer), "" if answer.score is None else f"{answer.score:+.3f}", None)


def answers_html(cards: Sequence[Card]) -> str:
    """Cards side by side, or below each other where there is no room."""
    return render(__package__, "answers.html.j2", cards=cards)


def models_html(models: Sequence[ShownModel]) -> str:
    """What is known of the models, with their blocks drawn and told."""
    return render(__package__, "models.html.j2", models=[_told(model) for model in models])


def notice_html(problem: str) -> str:
    """A problem above the form; nothing for an empty one."""
    return render(__package__, "notice.html.j2", problem=problem)


@dataclass(frozen=True)
class _Block:
    short: str
    skipped: bool


def _told(model: ShownModel) -> dict[str, object]:
    """Values of the template for one model."""
    facts = model.facts
    skipped = () if model.whole else facts.skipped
    stacks = {stack_of(block) for block in facts.blocks}
    short = {block: block.rpartition(".")[2] if len(stacks) == 1 else block for block in facts.blocks}
    named = f": {', '.join(skipped)}" if skipped else ""
    return {
        "name": model.name,
        "slim": model.name.removesuffix("-all-blocks"),
        "whole": model.whole,
        "facts": facts,
        "blocks": [_Block(short[block], block in skipped) for block in facts.blocks],
        "told": f"{len(skipped)} of {len(facts.blocks)} blocks are skipped{named}."
        if skipped
        else "No block is skipped.",
        "lines": () if model.whole else facts.lines,
    }
