"""The layers that the language model behind an image tower may have."""

from __future__ import annotations

from . import gemma, gemma2, gemma3_text, llama, mistral, qwen2, qwen3

#: Of families that take any language model, in the order of their popularity there.
OF_ANY_TEXT = (
    llama.CLASSES,
    mistral.CLASSES,
    qwen2.CLASSES,
    qwen3.CLASSES,
    gemma.CLASSES,
    gemma2.CLASSES,
    gemma3_text.CLASSES,
)
