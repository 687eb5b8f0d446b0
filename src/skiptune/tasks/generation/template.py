"""Conversations as the chat template of a model writes them, and where the answers are in that text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...core.errors import InputError, first_line
from ...data.turns import Turn
from ...families.chat_processor import ChatProcessor


@dataclass(frozen=True)
class Rendered:
    """A conversation as text, an image as one placeholder.

    Attributes:
        text: of the whole conversation.
        answers: first character and end of each answer, what ends it included.
    """

    text: str
    answers: tuple[tuple[int, int], ...]


class Template:
    """Writes conversations by the chat template of a processor.

    Answers are found by writing growing beginnings of a conversation, each of which must begin the whole: the masks of
    transformers (``return_assistant_tokens_mask``) are silently all zero for templates without ``{% generation %}``.

    Raises:
        InputError: the processor has no chat template.
    """

    def __init__(self, processor: ChatProcessor) -> None:
        self._owner, self._sees = processor.template_owner, processor.whole is not None
        if not getattr(self._owner, "chat_template", None) and not getattr(processor.tokenizer, "chat_template", None):
            raise InputError(
                f"{type(self._owner).__name__}: no chat template; save the model with one (chat_template.jinja)"
            )

    def conversation(self, turns: Sequence[Turn]) -> Rendered:
        """The whole conversation.

        Raises:
            InputError: the template fails, or the answers cannot be found in what it writes.
        """
        whole = self._write(turns)
        answers = []
        for number, turn in enumerate(turns):
            if turn.role != "assistant":
                continue
            before, after = self.prompt(turns[:number]), self._write(turns[: number + 1])
            if not (whole.startswith(after) and after.startswith(before) and turn.text.strip() in after[len(before) :]):
                raise InputError(
                    f"chat template: the answer of turn {number + 1} cannot be found in the text: the conversation up "
                    "to it is not how the whole one begins; use a template that writes every turn by itself"
                )
            answers.append((len(before), len(after.rstrip())))
        return Rendered(whole.rstrip(), tuple(answers))

    def prompt(self, turns: Sequence[Turn]) -> str:
        """The text that the next answer follows."""
        return self._write(turns, add_generation_prompt=True)

    def _write(self, turns: Sequence[Turn], **options: Any) -> str:
        messages = [{"role": turn.role, "content": self._content(turn)} for turn in turns]
        try:
            return str(self._owner.apply_chat_template(messages, tokenize=False, **options))
        except Exception as error:  # templates raise what they like
            raise InputError(f"chat template: it refuses this conversation ({first_line(error)})") from None

    def _content(self, turn: Turn) -> str | list[dict[str, str]]:
        if not self._sees:
            return turn.text
        return [{"type": "image"} if part is None else {"type": "text", "text": part} for part in turn.parts]
