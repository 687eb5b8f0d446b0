"""Choose among the options of a record by the log-likelihood of each as the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ...data.record import Record
from ...data.turns import Turn
from ..answer import Answer
from ..task import on_device
from .continuations import Tokens, log_probabilities
from .conversation import question_of
from .measures.exact_match import exact_match

if TYPE_CHECKING:
    from .task import Generation


#: Measures of the option that a model finds most likely, by what is compared.
CHOSEN = {"choice": "total", "choice_by_token": "by_token"}


@dataclass(frozen=True)
class Scored:
    """An option of a record.

    Attributes:
        option: its text.
        total: the log-likelihood of the text and of the token that ends it, as an answer.
        by_token: its mean over these tokens.
    """

    option: str
    total: float
    by_token: float


@dataclass(frozen=True)
class _Tails:
    """What follows the part of a prompt's tokens that begins the conversation with every option.

    Attributes:
        dropped: tokens at the end of the prompt that become others with some option behind them.
        continuations: tokens of each option from there on.
    """

    dropped: int
    continuations: list[Tokens]


def score_options(task: Generation, model: Any, records: Sequence[Record]) -> list[tuple[Scored, ...]]:
    """The options of every record, in their order; the records are one batch, and all have options."""
    tails = [_tails(task, record) for record in records]
    prompts = _without_last(task.prompts(records), [tail.dropped for tail in tails])
    found = log_probabilities(model, on_device(prompts, model), [tail.continuations for tail in tails])
    return [tuple(map(_scored, record.options, own)) for record, own in zip(records, found, strict=True)]


def best_option(options: Sequence[Scored], measure: str) -> Scored:
    """The option that a model chooses by one of :data:`CHOSEN`, the first of equals."""
    return max(options, key=lambda scored: getattr(scored, CHOSEN[measure]))


def likeliest(options: Sequence[Scored], measure: str, top: int) -> tuple[Answer, ...]:
    """The ``top`` best options, best first, with probabilities: the softmax of what is compared."""
    values = torch.tensor([getattr(scored, CHOSEN.get(measure, "total")) for scored in options], dtype=torch.float64)
    best = values.softmax(0).topk(min(top, len(options)))
    return tuple(
        Answer(options[place].option, probability=value)
        for value, place in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    )


def right_options(record: Record) -> list[str]:
    """The options of a record that are right answers, as exact match compares them."""
    return [option for option in record.options if exact_match(option, record)]


def _tails(task: Generation, record: Record) -> _Tails:
    asked, tokenizer = question_of(task.turns(record)), task.processor.tokenizer
    wholes = [task.template.conversation((*asked, Turn("assistant", (option,)))) for option in record.options]
    ends = [
        whole.text[: whole.answers[-1][1]] if whole.suffix is None else f"{whole.suffix}{tokenizer.eos_token}"
        for whole in wholes
    ]
    begins = [] if wholes[0].suffix is not None else [task.template.prompt(asked).text]
    tokens = tokenizer([*begins, *ends], add_special_tokens=False)["input_ids"]
    if not begins:  # its processor tokenizes question and answer apart
        return _Tails(0, tokens)
    prompt, *whole = tokens
    shared = min(_alike(prompt, each) for each in whole)
    return _Tails(len(prompt) - shared, [each[shared:] for each in whole])


def _alike(one: Tokens, other: Tokens) -> int:
    """How many tokens two texts begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (first, second) in pairs if first != second), min(len(one), len(other)))


def _without_last(prompts: dict[str, Tensor], dropped: Sequence[int]) -> dict[str, Tensor]:
    """Prompts without some tokens at the end of each; they are padding at its beginning then."""
    if not any(dropped):
        return prompts
    shape, found = prompts["input_ids"].shape, dict(prompts)
    for name, value in prompts.items():
        if value.shape == shape and not value.is_floating_point():
            found[name] = torch.stack([row.roll(count) for row, count in zip(value, dropped, strict=True)])
    for row, count in zip(found["attention_mask"], dropped, strict=True):
        row[:count] = 0
    return found


def _scored(option: str, tokens: Tensor) -> Scored:
    total = float(tokens.sum())
    return Scored(option, total, total / len(tokens))
