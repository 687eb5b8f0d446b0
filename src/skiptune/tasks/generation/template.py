"""Conversations as the chat template of a model writes them, and where the answers are in that text."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...core.errors import InputError, first_line
from ...data.turns import Turn
from ...families.chat_processor import ChatProcessor

#: Stands for an answer, in characters that no text has (of Unicode's private use).
_MARK = "\ue000{}\ue001"
#: How a list of parts looks in the text of a template that takes texts alone.
_WRITTEN_PARTS = re.compile(r"\{['\"]type['\"]: ")
#: What chat templates ask transformers for the date by.
_TODAY = "strftime_now"
#: What follows of a template that does.
DATED = "the chat template writes the day's date (strftime_now): prompts change from day to day, and no digest sees it"
_ASKED = (Turn("user", ("Is it so?",)),)
_TRIAL = (*_ASKED, Turn("assistant", ("Yes.",)))


@dataclass(frozen=True)
class Rendered:
    """A conversation as text, an image as one placeholder.

    Attributes:
        text: of the whole conversation; of PaliGemma's, the question.
        answers: first character and end of each answer, what ends it included.
        suffix: PaliGemma's answer, which its processor joins to the question.
    """

    text: str
    answers: tuple[tuple[int, int], ...] = ()
    suffix: str | None = None


class Template:
    """Writes conversations by the chat template of a processor.

    Answers are found by writing a conversation a second time, with marks in their places: the masks of transformers
    (``return_assistant_tokens_mask``) are silently all zero for templates without ``{% generation %}``, and beginnings
    of a conversation are not always written as in the whole one (Qwen3 leaves out thoughts before the last question).

    Raises:
        InputError: the processor has no chat template, or answers cannot be found in what it writes.
    """

    def __init__(self, processor: ChatProcessor) -> None:
        self._owner = processor.template_owner
        if not getattr(self._owner, "chat_template", None):
            raise InputError(
                f"{type(self._owner).__name__}: no chat template; save the model with one (chat_template.jinja)"
            )
        self._image, self._eos = getattr(processor.whole, "image_token", ""), processor.tokenizer.eos_token or ""
        self._words, self._end = processor.image_words, _ends(processor)
        self._typed = processor.sees and self._takes_parts()
        asked = self._write(_ASKED)
        prompt = self._write(_ASKED, add_generation_prompt=True)
        self._cue = prompt.removeprefix(asked) if prompt.startswith(asked) else ""
        self.conversation(_TRIAL)

    @property
    def dated(self) -> bool:
        """Whether it writes the day's date, so that prompts are others tomorrow."""
        found = self._owner.chat_template
        return any(_TODAY in text for text in (found.values() if isinstance(found, dict) else (found,)))

    def conversation(self, turns: Sequence[Turn]) -> Rendered:
        """The whole conversation. Where the template ends the last answer by no token, the tokenizer's end is added.

        Raises:
            InputError: the template fails, loses an image, or the answers cannot be found in what it writes.
        """
        whole = self._write(turns)
        spoken = [number for number, turn in enumerate(turns) if turn.role == "assistant"]
        between = re.split(_MARK.format("[0-9]+"), self._write(_marked(turns)))
        answers = [turns[number].text.strip() for number in spoken]
        found = None
        if len(between) == len(answers) + 1:
            pieces = [re.escape(piece.strip()) for piece in between]
            wanted = pieces[0] + "".join(
                rf"\s*({re.escape(answer)})\s*{piece}" for answer, piece in zip(answers, pieces[1:], strict=True)
            )
            found = re.fullmatch(rf"\s*{wanted}\s*", whole)
        if found is None:
            raise InputError(
                f"chat template: the answers (of {', '.join(f'turn {number + 1}' for number in spoken)}) cannot be "
                "found in the text that it writes: it leaves out or changes some; use a template that writes every "
                "turn as it is"
            )
        return self._ended(whole, [found.span(number + 1) for number in range(len(answers))])

    def prompt(self, turns: Sequence[Turn]) -> Rendered:
        """The text that the next answer follows."""
        return Rendered(self._write(turns, add_generation_prompt=True))

    def _ended(self, whole: str, places: Sequence[tuple[int, int]]) -> Rendered:
        """Spans from the words that call for an answer to the token that ends it, from those of answers alone."""
        spans, before = [], 0
        for number, (start, end) in enumerate(places):
            called = whole.rfind(self._cue, before, start) if self._cue else -1
            if called >= 0:  # thoughts and blanks after it are the model's to write, too
                start = called + len(self._cue)
            ending = self._end.match(whole, end)
            if ending is not None:
                end = ending.end()
            elif number == len(places) - 1:  # nothing else would tell the model to stop
                whole = f"{whole[:end]}{self._eos}"
                end = len(whole)
            spans.append((start, end))
            before = end
        return Rendered(whole, tuple(spans))

    def _write(self, turns: Sequence[Turn], **options: Any) -> str:
        refuse_image_words(turns, self._words)
        messages = [{"role": turn.role, "content": self._content(turn)} for turn in turns]
        try:
            written = str(self._owner.apply_chat_template(messages, tokenize=False, **options))
        except Exception as error:  # templates raise what they like
            raise InputError(f"chat template: it refuses this conversation ({first_line(error)})") from None
        images = sum(turn.images for turn in turns)
        if self._image and written.count(self._image) != images:
            raise InputError(
                f"chat template: it writes {written.count(self._image)} places for {images} images "
                f"({self._image}); use that of the model"
            )
        return written

    def _content(self, turn: Turn) -> str | list[dict[str, str]]:
        if self._typed:
            return [{"type": "image"} if part is None else {"type": "text", "text": part} for part in turn.parts]
        return "".join(self._image if part is None else part for part in turn.parts)

    def _takes_parts(self) -> bool:
        """Whether contents are lists of typed parts, as templates of vision-language models have them."""
        self._typed = True
        try:
            return not _WRITTEN_PARTS.search(self._write(_TRIAL))
        except InputError:
            return False


class Suffixes:
    """In place of a template where the processor itself joins one question and its answer (PaliGemma)."""

    dated = False

    def __init__(self, processor: ChatProcessor) -> None:
        self._image, self._words = processor.whole.image_token, processor.image_words

    def conversation(self, turns: Sequence[Turn]) -> Rendered:
        """A question and its answer.

        Raises:
            InputError: further turns, or no image.
        """
        return replace(self.prompt(turns[:-1]), suffix=turns[-1].text.strip())

    def prompt(self, turns: Sequence[Turn]) -> Rendered:
        """A question, behind its images.

        Raises:
            InputError: further turns, or no image.
        """
        refuse_image_words(turns, self._words)
        if [turn.role for turn in turns] != ["user"]:
            raise InputError("turns: PaliGemma reads one question and its answer, no system turn and no further ones")
        if not turns[0].images:
            raise InputError("image: none; PaliGemma reads no text alone")
        return Rendered(self._image * turns[0].images + turns[0].text.strip())


def refuse_image_words(turns: Sequence[Turn], words: Collection[str]) -> None:
    """Refuse texts that a model would take for images.

    Raises:
        InputError: names the turn and the word.
    """
    for number, turn in enumerate(turns, start=1):
        for word in words:
            if word in turn.text:
                raise InputError(f"turns: the text of turn {number} has {word}, which stands for an image; remove it")


def _marked(turns: Sequence[Turn]) -> list[Turn]:
    """The turns, with marks in place of answers."""
    return [
        Turn(turn.role, (_MARK.format(number),)) if turn.role == "assistant" else turn
        for number, turn in enumerate(turns)
    ]


def _ends(processor: ChatProcessor) -> re.Pattern[str]:
    """A token of its own, after blanks: it ends an answer."""
    tokenizer = processor.tokenizer
    named = {*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()} - processor.image_words
    words = "|".join(re.escape(token) for token in sorted(named, key=len, reverse=True))
    return re.compile(rf"\s*(?:{words})" if words else r"(?!)")
