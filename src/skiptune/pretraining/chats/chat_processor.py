"""Tokenizer, chat template and processor of ``llava-scenes``.

A conversation is ``[CLS] [USER] <image> … question [ASSISTANT] answer [SEP] [USER] question [ASSISTANT] answer [SEP]``.
"""

from __future__ import annotations

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import LlavaProcessor, PreTrainedTokenizerFast
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from ..scenes.vocabulary import make_tokenizer as make_word_pieces

IMAGE, USER, ASSISTANT = "<image>", "[USER]", "[ASSISTANT]"
_WORDS = ("true", "false", "describe", "caption", "scene", "none", "circles", "size", "correct", "answer", "question")

#: ``content`` is a text, or a list of texts and images. Assistant turns end with the end-of-sequence token.
CHAT_TEMPLATE = (
    "{%- macro parts(content) -%}"
    "{%- if content is string -%}{{ content }}"
    "{%- else -%}{%- for part in content -%}"
    "{%- if part['type'] == 'image' -%}<image>{%- else -%}{{ part['text'] }}{%- endif -%}"
    "{%- endfor -%}{%- endif -%}"
    "{%- endmacro -%}"
    "{{- bos_token -}}"
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'assistant' -%}"
    "[ASSISTANT]{% generation %}{{ parts(message['content']) }}{{ eos_token }}{% endgeneration %}"
    "{%- elif message['role'] == 'user' -%}[USER]{{ parts(message['content']) }}"
    "{%- elif message['role'] == 'system' -%}{{ parts(message['content']) }}"
    "{%- else -%}{{ raise_exception('The role of a message is system, user or assistant.') }}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}[ASSISTANT]{%- endif -%}"
)


def make_tokenizer(length: int) -> PreTrainedTokenizerFast:
    """The word pieces of ``vilt-scenes`` with a few words and three special tokens more.

    It adds no special tokens by itself: the chat template writes them.
    """
    pieces = make_word_pieces(length).get_vocab()
    entries = sorted(pieces, key=pieces.__getitem__)
    entries += [word for word in _WORDS if word not in pieces]
    core = Tokenizer(models.WordPiece({entry: number for number, entry in enumerate(entries)}, unk_token="[UNK]"))
    core.normalizer = normalizers.BertNormalizer(lowercase=True)
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    core.decoder = decoders.WordPiece(prefix="##", cleanup=True)
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token="[CLS]",
        eos_token="[SEP]",
        pad_token="[PAD]",
        unk_token="[UNK]",
        mask_token="[MASK]",
        extra_special_tokens={"image_token": IMAGE, "user_token": USER, "assistant_token": ASSISTANT},
        chat_template=CHAT_TEMPLATE,
        model_max_length=length,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def make_processor(tokenizer: PreTrainedTokenizerFast, image_size: int, patch_size: int) -> LlavaProcessor:
    """Images are resized to a square without cropping and scaled to [-1, 1]."""
    side = {"height": image_size, "width": image_size}
    pictures = CLIPImageProcessorPil(
        size=side, crop_size=side, do_center_crop=False, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )
    return LlavaProcessor(
        pictures,
        tokenizer,
        patch_size=patch_size,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT_TEMPLATE,
    )
