"""The conversation of a record: its own turns, or those that question answering and captions stand for."""

from __future__ import annotations

from collections.abc import Sequence

from ...core.errors import InputError
from ...data.record import Record
from ...data.turns import Turn

#: Asks for a caption, where a recipe says nothing else.
CAPTION_PROMPT = "Describe the picture."


def conversation_of(record: Record, prompt: str | None = None, system: str | None = None) -> tuple[Turn, ...]:
    """All turns of a record, with the answer at their end if one is known.

    A question stands after the images. Of several answers the one with the highest score is learnt, the first by the
    alphabet among equals; of several captions another one every epoch.

    Args:
        record: with turns, a text with answers, or captions.
        prompt: before a question, or instead of :data:`CAPTION_PROMPT`.
        system: of conversations that have no system turn.
    """
    turns = record.turns or _asked(record, prompt)
    if system is not None and (not turns or turns[0].role != "system"):
        return (Turn("system", (system,)), *turns)
    return turns


def _asked(record: Record, prompt: str | None) -> tuple[Turn, ...]:
    if record.captions or not record.text:
        text = prompt or CAPTION_PROMPT
    else:
        text = f"{prompt} {record.text}" if prompt else record.text
    question = Turn("user", (*[None] * len(record.images), text))
    answer = best_answer(record)
    return (question,) if answer is None else (question, Turn("assistant", (answer,)))


def best_answer(record: Record) -> str | None:
    """The answer that is learnt; ``None``: none is known."""
    if record.turns:
        last = record.turns[-1]
        return last.text if last.role == "assistant" else None
    if record.captions:
        return record.captions[record.epoch % len(record.captions)]
    return min(record.answers, key=lambda answer: (-record.answers[answer], answer), default=None)


def question_of(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """The turns that the last answer is given to."""
    return tuple(turns[:-1]) if turns and turns[-1].role == "assistant" else tuple(turns)


def check_conversation(record: Record) -> None:
    """Refuse turns that no model can read or learn from.

    Raises:
        InputError: names the turn and what is wrong with it.
    """
    placeholders = sum(turn.images for turn in record.turns)
    if placeholders != len(record.images):
        raise InputError(
            f"turns: {placeholders} places for images in the text, but the record has {len(record.images)}; one each"
        )
    asked = False
    for number, turn in enumerate(record.turns, start=1):
        if turn.role == "system":
            if number > 1:
                raise InputError(f"turns: turn {number} is the system's; only the first may be")
            continue
        if (turn.role == "assistant") != asked:
            raise InputError(f"turns: turn {number} is the {turn.role}'s; user and assistant alternate, the user first")
        if turn.role == "assistant" and (turn.images or not turn.text.strip()):
            raise InputError(f"turns: turn {number} is an answer and has {'an image' if turn.images else 'no text'}")
        if turn.role == "user" and not turn.images and not turn.text.strip():
            raise InputError(f"turns: turn {number} is empty")
        asked = turn.role == "user"
    if not any(turn.role == "user" for turn in record.turns):
        raise InputError("turns: no turn is the user's")
