"""CLIP's inputs: its tokenizer, and the middle of images, resized by Pillow."""

from __future__ import annotations

from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPConfig, CLIPProcessor, CLIPTokenizer
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from ..dual_encoder.sizes import tower_sizes
from ..family import InputSizes


def sizes(config: CLIPConfig) -> InputSizes:
    """Sizes of a model's inputs."""
    text = config.text_config
    # the vector of a text is that of its end token; 2 stands in old files, and then it is the highest number
    return tower_sizes(config, end_token=text.vocab_size - 1 if text.eos_token_id == 2 else text.eos_token_id)


def image_processor(config: CLIPConfig, side: int) -> CLIPImageProcessorPil:
    """The shorter side gets ``side`` pixels, and the middle square is kept."""
    return CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side})


def fresh_processor(config: CLIPConfig) -> CLIPProcessor:
    """For a model with random weights: CLIP's tokenizer with a token per byte, images of the configuration's size."""
    text, letters = config.text_config, sorted(ByteLevel.alphabet())
    words = [*letters, *(f"{letter}</w>" for letter in letters)]  # a word's last letter is a token of its own
    special = {"<|startoftext|>": text.bos_token_id, "<|endoftext|>": text.eos_token_id}
    vocabulary = {**{word: number for number, word in enumerate(words)}, **special}
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=text.max_position_embeddings)
    return CLIPProcessor(image_processor(config, config.vision_config.image_size), tokenizer)
