"""A tiny LLaVA with random weights, a tokenizer of whole words and a chat template, as a directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlavaProcessor, PreTrainedTokenizerFast
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from tiny_decoders import IMAGE, vlm

WORDS = (
    "<pad>", "<s>", "</s>", "<unk>", "<user>", "<assistant>", "<system>", "what", "color", "is", "it", "the", "shape",
    "red", "blue", "green", "yes", "no", "a", "circle", "there", "?", ".", "describe", "picture", "be", "short",
)  # fmt: skip
TEMPLATE = (
    "<s>{% for message in messages %}<{{ message.role }}>"
    "{% if message.content is string %}{{ message.content }}{% else %}"
    "{% for part in message.content %}{% if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}{% endif %}{% if message.role == 'assistant' %}</s>{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Words by their numbers; ``<image>`` is the token that the tiny models of ``tiny_decoders`` have for images."""
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    vocabulary |= {f"word{number}": number for number in range(len(WORDS), IMAGE)} | {"<image>": IMAGE}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    special = ["<user>", "<assistant>", "<system>", "<image>"]
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        additional_special_tokens=special,
        chat_template=TEMPLATE,
    )


def tiny_llava_processor() -> LlavaProcessor:
    """Images of 16 pixels a side, 16 tokens each."""
    side = {"height": 16, "width": 16}
    images = CLIPImageProcessorPil(size=side, crop_size=side)
    return LlavaProcessor(
        images,
        tiny_tokenizer(),
        patch_size=4,
        vision_feature_select_strategy="default",
        chat_template=TEMPLATE,
        num_additional_image_tokens=1,
    )


def save_tiny_llava(folder: Path) -> Path:
    """Model and processor; returns the folder."""
    model: Any = vlm("llava")
    model.generation_config.eos_token_id, model.generation_config.pad_token_id = 2, 0
    model.save_pretrained(folder)
    tiny_llava_processor().save_pretrained(folder)
    return folder
