"""Tiny models with random weights, with tokenizers of whole words, chat templates and image processors, as directories.

A tokenizer and a processor for the names of ``tiny_decoders.VLM`` and ``tiny_decoders.TEXT``, with the tokens and the
chat template that the family has. None for Pixtral: transformers' needs torchvision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

import skiptune as st
from skiptune.families.chat_processor import ChatProcessor
from skiptune.models.without_torchvision import WITHOUT_TORCHVISION
from skiptune.tasks.generation.task import Generation
from tiny_decoders import IMAGE, VIDEO, vlm

TEMPLATES = Path(__file__).parent / "fixtures" / "chat_templates"
WORDS = (
    "what", "color", "is", "it", "the", "shape", "red", "blue", "green", "yes", "no", "a", "circle", "there", "?", ".",
    "describe", "picture", "be", "short",
)  # fmt: skip
_LETTERS = (*"abcdefghijklmnopqrstuvwxyzĠĊ.?,YAQC",)
TEMPLATE = (
    "<s>{% for message in messages %}<{{ message.role }}>"
    "{% if message.content is string %}{{ message.content }}{% else %}"
    "{% for part in message.content %}{% if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}{% endif %}{% if message.role == 'assistant' %}</s>{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)


@dataclass(frozen=True)
class Chat:
    """What a family's tokenizer and processor have.

    Attributes:
        template: file of the chat template, or ``None``.
        ends: padding, beginning and end, by number.
        special: further tokens.
        added: further ones that are not called special.
        named: of those, the ones by a name of their own.
        image: the token that the model has for images.
        begins: whether there is a token for the beginning.
        spells: whether its tokens are letters.
        processor: class name of transformers', with its settings.
        images: folder and class name of the image processor, with its settings.
    """

    template: str | None
    ends: tuple[str, str, str] = ("<pad>", "<s>", "</s>")
    special: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    named: Mapping[str, str] = field(default_factory=dict)
    image: str = "<image>"
    begins: bool = True
    spells: bool = False
    processor: tuple[str, Mapping[str, Any]] = ("", {})
    images: tuple[str, str, Mapping[str, Any]] = ("", "", {})


_SIDE = {"height": 16, "width": 16}
_CHATML = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_GEMMA = ("<pad>", "<bos>", "<eos>")
_TURNS = ("<start_of_turn>", "<end_of_turn>")
_CLIP = ("clip", "CLIPImageProcessorPil", {"size": _SIDE, "crop_size": _SIDE})
_SIGLIP = ("siglip", "SiglipImageProcessorPil", {"size": _SIDE})
_ANY_SIZE = {"image_grid_pinpoints": [[16, 32], [32, 16], [32, 32]]}
_QWEN = Chat(
    "qwen2_5_vl", _CHATML, ("<|vision_start|>", "<|vision_end|>"), image="<|image_pad|>", begins=False,
    images=("qwen2_vl", "Qwen2VLImageProcessorPil",
            {"patch_size": 4, "size": {"shortest_edge": 64, "longest_edge": 1024}}),
)  # fmt: skip
_TILES = ("<fake_token_around_image>", "<global-img>", "<end_of_utterance>",
          *(f"<row_{row}_col_{column}>" for row in (1, 2) for column in (1, 2)))  # fmt: skip
_IN_TILES: Mapping[str, Any] = {"size": {"longest_edge": 32}, "max_image_size": {"longest_edge": 16}}


def _llava(kind: str, strategy: str, classes: int, **more: Any) -> tuple[str, Mapping[str, Any]]:
    settings = {"patch_size": 4, "vision_feature_select_strategy": strategy, "num_additional_image_tokens": classes}
    return kind, {**settings, **more}


def _qwen(name: str, template: str) -> Chat:
    return replace(_QWEN, template=template, processor=(name, {}))


CHATS: dict[str, Chat] = {
    "llava": Chat("llava", processor=_llava("LlavaProcessor", "default", 1), images=_CLIP),
    "llava_mistral": Chat("llava", processor=_llava("LlavaProcessor", "default", 0), images=_SIGLIP),
    "llava_next": Chat(
        "llava_next",
        processor=_llava("LlavaNextProcessor", "default", 1),
        images=("llava_next", "LlavaNextImageProcessorPil",
                {"size": {"shortest_edge": 16}, "crop_size": _SIDE, **_ANY_SIZE}),
    ),
    "llava_onevision": Chat(
        "llava_onevision", _CHATML, begins=False,
        processor=("LlavaOnevisionProcessor", {"num_image_tokens": 16, "vision_feature_select_strategy": "full"}),
        images=("llava_onevision", "LlavaOnevisionImageProcessorPil", {"size": _SIDE, **_ANY_SIZE}),
    ),
    "smolvlm": Chat(
        "smolvlm", ("<pad>", "<|im_start|>", "</s>"), _TILES, processor=("SmolVLMProcessor", {"image_seq_len": 4}),
        images=("smolvlm", "SmolVLMImageProcessorPil", _IN_TILES),
    ),
    "idefics3": Chat(
        "idefics3", ("<pad>", "<|begin_of_text|>", "</s>"), _TILES,
        processor=("Idefics3Processor", {"image_seq_len": 4}),
        images=("idefics3", "Idefics3ImageProcessorPil", _IN_TILES),
    ),
    "qwen2_vl": _qwen("Qwen2VLProcessor", "qwen2_5_vl"),
    "qwen2_5_vl": _qwen("Qwen2_5_VLProcessor", "qwen2_5_vl"),
    "qwen3_vl": _qwen("Qwen3VLProcessor", "qwen3_vl"),
    "paligemma": Chat(
        None, _GEMMA, processor=("PaliGemmaProcessor", {}),
        images=("siglip", "SiglipImageProcessorPil", {"size": _SIDE, "image_seq_length": 16}),
    ),
    "gemma3": Chat(
        "gemma3", _GEMMA, _TURNS, (), {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>"},
        "<image_soft_token>", processor=("Gemma3Processor", {"image_seq_length": 4}),
        images=("gemma3", "Gemma3ImageProcessorPil", {"size": _SIDE}),
    ),
    "internvl": Chat(
        "internvl", _CHATML, named={"start_image_token": "<img>", "end_image_token": "</img>"}, image="<IMG_CONTEXT>",
        begins=False,
        processor=("InternVLProcessor", {"image_seq_length": 4}),
        images=("got_ocr2", "GotOcr2ImageProcessorPil", {"size": _SIDE, "max_patches": 2}),
    ),
    "llama": Chat("llama3", ("<pad>", "<|begin_of_text|>", "<|eot_id|>"), ("<|start_header_id|>", "<|end_header_id|>")),
    "mistral": Chat("mistral"),
    "qwen2": Chat("qwen2_5", _CHATML, begins=False, spells=True),
    "qwen3": Chat("qwen3", _CHATML, added=("<think>", "</think>"), begins=False),
    "gemma": Chat("gemma", _GEMMA, _TURNS),
    "gemma2": Chat("gemma", _GEMMA, _TURNS),
    "gemma3_text": Chat("gemma3", _GEMMA, _TURNS),
}  # fmt: skip
CHATS["paligemma2"] = CHATS["paligemma"]


def chat_template(name: str) -> str | None:
    """The chat template of a family."""
    file = CHATS[name].template
    return None if file is None else (TEMPLATES / f"{file}.jinja").read_text()


def word_tokenizer(chat: Chat, template: str | None) -> PreTrainedTokenizerFast:
    """Words by their numbers; images have the number that the tiny models of ``tiny_decoders`` have for them."""
    named = {**chat.named, "image_token": chat.image, "video_token": "<|video_pad|>"}
    if chat.image == "<IMG_CONTEXT>":
        named["context_image_token"] = chat.image
    words = [
        *chat.ends,
        "<unk>",
        *chat.special,
        *chat.added,
        *chat.named.values(),
        *(_LETTERS if chat.spells else WORDS),
    ]
    vocabulary = {word: number for number, word in enumerate(words)}
    vocabulary |= {f"word{number}": number for number in range(len(words), VIDEO)}
    vocabulary |= {"<|video_pad|>": VIDEO, chat.image: IMAGE}
    if chat.spells:
        made = Tokenizer(models.BPE(vocabulary, []))
        made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    else:
        made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
        made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.add_tokens([*chat.added])
    padding, begin, end = chat.ends
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token=padding,
        bos_token=begin if chat.begins else None,
        eos_token=end,
        unk_token="<unk>",
        extra_special_tokens=[*(() if chat.begins else (begin,)), *chat.special],
        **(named if chat.processor[0] else {}),
        chat_template=template,
    )


def tiny_processor(name: str) -> Any:
    """The processor of a tiny vision-language model, or the tokenizer of a tiny language model."""
    return _processor(CHATS[name], chat_template(name))


def _processor(chat: Chat, template: str | None) -> Any:
    tokenizer = word_tokenizer(chat, template)
    kind, settings = chat.processor
    if not kind:
        return tokenizer
    folder, image_kind, image_settings = chat.images
    images = getattr(import_module(f"transformers.models.{folder}.image_processing_pil_{folder}"), image_kind)
    made = WITHOUT_TORCHVISION.get(kind) or getattr(transformers, kind)
    return made(images(**image_settings), tokenizer, chat_template=template, **settings)


_PLAIN = replace(CHATS["llava"], template=None, special=("<user>", "<assistant>", "<system>"))


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Words by their numbers, and a template of one token a role."""
    return word_tokenizer(_PLAIN, TEMPLATE)


def tiny_llava_processor() -> Any:
    """Images of 16 pixels a side, 16 tokens each."""
    return _processor(_PLAIN, TEMPLATE)


def save_tiny_llava(folder: Path) -> Path:
    """Model and processor; returns the folder."""
    model: Any = vlm("llava")
    model.generation_config.eos_token_id, model.generation_config.pad_token_id = 2, 0
    model.save_pretrained(folder)
    tiny_llava_processor().save_pretrained(folder)
    return folder


def save_slim_llava(folder: Path) -> Path:
    """A slim model that writes four tokens; returns the folder."""
    whole = tiny_llava_processor()
    task = Generation(ChatProcessor("llava", whole.tokenizer, whole), max_new_tokens=4)
    st.export(st.insert(vlm("llava"), st.SkipConfig(block_adapter="lora")), folder, task=task)
    return folder
