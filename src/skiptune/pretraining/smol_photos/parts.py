"""The parts of ``smol-photos`` before it is trained: SmolLM2 from its GGUF file, the tower of ``meter-photos``, a new
projector, and the tokenizer with an image token."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AddedToken, LlavaConfig, LlavaForConditionalGeneration
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from ...families.decoders.photo_tower import PhotoTowerConfig
from ...models.construction import construction
from ...models.gguf import gguf_config, gguf_tokenizer, open_gguf
from ...models.in_parts import IMAGE_TOKEN, language_model_state, tower_state
from ...models.published import PUBLISHED

LANGUAGE_MODEL, TOWER = "smollm2-135m", "meter-photos"
#: SmolLM2's own format without its system message, which would be paid by every example; an image is a line of its own.
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{% if message['content'] is string %}{% set parts = [{'type': 'text', 'text': message['content']}] %}"
    "{% else %}{% set parts = message['content'] %}{% endif %}"
    "{% if message['role'] == 'assistant' %}{% generation %}"
    "{% for part in parts %}{{ part['text'] }}{% endfor %}{{ '<|im_end|>' }}{% endgeneration %}"
    "{% else %}{% for part in parts %}{% if part['type'] == 'image' %}{{ '<image>\\n' }}"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{{ '<|im_end|>' }}{% endif %}{{ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


@dataclass(frozen=True)
class Untrained:
    """What training starts from.

    Attributes:
        model: SmolLM2 behind the tower, with a new projector.
        tokenizer: SmolLM2's, with the image token and the template.
    """

    model: LlavaForConditionalGeneration
    tokenizer: Any


def untrained(seed: int) -> Untrained:
    """Put the parts together.

    Raises:
        InputError: one of them is not installed.
    """
    opened = open_gguf(PUBLISHED[LANGUAGE_MODEL].path)
    text, tokenizer = gguf_config(opened), gguf_tokenizer(opened)
    tokenizer.add_tokens([AddedToken(IMAGE_TOKEN, normalized=False, special=True)])
    tokenizer.chat_template = TEMPLATE
    text.vocab_size = len(tokenizer)
    config = LlavaConfig(
        text_config=text,
        vision_config=PhotoTowerConfig(),
        pad_token_id=text.pad_token_id,
        eos_token_id=text.eos_token_id,
        bos_token_id=text.bos_token_id,
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE_TOKEN),
        image_seq_length=25,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        tie_word_embeddings=True,
    )
    state = {**language_model_state(LANGUAGE_MODEL, len(tokenizer)), **tower_state(TOWER)}
    with construction(seed):
        model = LlavaForConditionalGeneration(config)
    model.load_state_dict(state, strict=False)  # the projector is new
    model.tie_weights()
    return Untrained(model.eval(), tokenizer)


def image_processor(folder: Path) -> CLIPImageProcessorPil:
    """The image settings of an embedded METER, which are its tower's."""
    return CLIPImageProcessorPil.from_pretrained(folder)
