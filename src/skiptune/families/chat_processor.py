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
    def template_owner(self) -> Any:
        """The part that applies the chat template."""
        return self.tokenizer if self.whole is None else self.whole

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the files that transformers' own classes read."""
        self.template_owner.save_pretrained(folder)
