"""What prepares conversations for a model that generates text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ChatProcessor:
    """The tokenizer of a model that generates text and, if it sees, its image processor.

    Attributes:
        model_type: of the model, which tells its family.
        tokenizer: transformers'.
        whole: transformers' processor, which joins texts and images; ``None``: the model reads texts alone.
    """

    model_type: str
    tokenizer: Any
    whole: Any = None

    @property
    def image_processor(self) -> Any:
        """Of the processor; ``None``: the model reads texts alone."""
        return None if self.whole is None else self.whole.image_processor

    @property
    def sees(self) -> bool:
        """Whether the model reads images."""
        return self.whole is not None

    @property
    def joins_suffixes(self) -> bool:
        """Whether the processor itself joins a question and its answer, in place of a chat template (PaliGemma)."""
        return self.model_type == "paligemma"

    @property
    def template_owner(self) -> Any:
        """The part that applies the chat template."""
        return self.tokenizer if self.whole is None else self.whole

    @property
    def image_words(self) -> frozenset[str]:
        """Texts that stand for images and videos, which no user may write."""
        parts, names = (self.whole, self.tokenizer), ("image_token", "video_token")
        named = [getattr(part, name, None) for part in parts for name in names]
        words = self.tokenizer.convert_ids_to_tokens(self.image_numbers)
        return frozenset(word for word in (*named, *words) if word)

    @property
    def image_number(self) -> int | None:
        """The number of the token that the model puts what it sees in the place of; ``None``: it sees nothing."""
        found = getattr(self.tokenizer, "image_token_id", None)  # Gemma 3's processor has that of the text's
        return found if found is not None else getattr(self.whole, "image_token_id", None)

    @property
    def image_numbers(self) -> list[int]:
        """Numbers of the tokens that stand for images, and of those around them."""
        own = getattr(self.whole, "image_token_ids", ())
        numbers = (getattr(part, "image_token_id", None) for part in (self.whole, self.tokenizer))
        return sorted({number for number in (*numbers, *own) if number is not None})

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the files that transformers' own classes read, without how the last batch was cut and padded."""
        if (core := getattr(self.tokenizer, "backend_tokenizer", None)) is not None:
            core.no_truncation()
            core.no_padding()
        self.template_owner.save_pretrained(folder)
