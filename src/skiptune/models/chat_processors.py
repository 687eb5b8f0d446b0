"""Read the processor of a model that generates text, with Pillow for its images and without videos."""

from __future__ import annotations

import inspect
from typing import Any

import transformers
from transformers import AutoImageProcessor, ProcessorMixin
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING_NAMES
from transformers.video_processing_utils import VideoProcessorMixin

from ..core.errors import InputError, first_line
from ..families.chat_processor import ChatProcessor
from ..families.family import Family
from .image_tokens import refuse_other_images
from .processors import fit_tokenizer, read_tokenizer
from .without_torchvision import WITHOUT_TORCHVISION, WithoutVideos

#: Of an image processor's file, where it stands for a video processor's.
_NOT_OF_VIDEOS = ("image_processor_type", "feature_extractor_type", "processor_class", "auto_map")


def read_chat_processor(source: str, family: Family, config: Any, subject: str) -> ChatProcessor:
    """The processor in a directory or of a hub id.

    Args:
        source: directory or hub id.
        family: the model's.
        config: the model's.
        subject: what messages begin with.

    Raises:
        InputError: files are missing or damaged, or do not fit the model.
    """
    tokenizer = _padding(read_tokenizer(source, config))
    if not hasattr(config, "vision_config"):
        fit_tokenizer(tokenizer, family.sizes(config), subject)
        return ChatProcessor(family.name, tokenizer)
    try:
        whole = _whole(source, config, tokenizer)
    except Exception as error:  # damaged files can raise anything
        raise InputError(
            f"{subject}: its tokenizer and image settings cannot be read ({first_line(error)}); missing or edited?"
        ) from None
    fit_tokenizer(tokenizer, family.sizes(config), subject)  # some processors add words to it
    refuse_other_images(whole, config, subject)
    return ChatProcessor(family.name, tokenizer, whole)


def _whole(source: str, config: Any, tokenizer: Any) -> Any:
    """transformers' processor, as its ``AutoProcessor`` makes it where torchvision is not installed."""
    fields, _ = ProcessorMixin.get_processor_dict(source)
    images = AutoImageProcessor.from_pretrained(source, config=config, backend="pil", trust_remote_code=False)
    name = fields.get("processor_class") or PROCESSOR_MAPPING_NAMES[config.model_type]
    kind = WITHOUT_TORCHVISION.get(name) or getattr(transformers, name)
    taken = inspect.signature(kind.__init__).parameters.keys() - {"image_processor", "tokenizer", "video_processor"}
    settings = {**_of_model(config), **{key: value for key, value in fields.items() if value is not None}}
    whole = kind(images, tokenizer, **{key: settings[key] for key in taken if key in settings})
    if whole.chat_template is None:
        whole.chat_template = tokenizer.chat_template
    if issubclass(kind, WithoutVideos):
        whole.video_processor = _of_videos(source)
    return whole


def _of_model(config: Any) -> dict[str, Any]:
    """Settings that files of early checkpoints lack: the model tells them."""
    vision = config.vision_config
    return {
        "patch_size": getattr(vision, "patch_size", None),
        "vision_feature_select_strategy": getattr(config, "vision_feature_select_strategy", None),
        "num_additional_image_tokens": int(vision.model_type == "clip_vision_model"),
    }


def _of_videos(source: str) -> dict[str, Any]:
    """The settings for videos, as ``AutoVideoProcessor`` reads them."""
    try:
        fields, _ = VideoProcessorMixin.get_video_processor_dict(source)
    except OSError:  # there are none
        return {}
    return {key: value for key, value in fields.items() if key not in _NOT_OF_VIDEOS}


def _padding(tokenizer: Any) -> Any:
    """The tokenizer, which fills batches up with its end token where it names no other."""
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer
