"""A tokenizer for models with random weights, which have no vocabulary to match."""

from __future__ import annotations

from tokenizers.pre_tokenizers import ByteLevel
from transformers import RobertaTokenizer


def byte_tokenizer(longest: int) -> RobertaTokenizer:
    """A RoBERTa tokenizer without a learned vocabulary: one token per byte, RoBERTa's numbers for the special
    tokens."""
    words = ["<s>", "<pad>", "</s>", "<unk>", *sorted(ByteLevel.alphabet()), "<mask>"]
    return RobertaTokenizer(vocab={word: number for number, word in enumerate(words)}, model_max_length=longest)
