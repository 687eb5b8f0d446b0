"""The description of a model family: its blocks, its classes, the sizes of its inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..core.errors import InputError
from ..core.validation import nearest
from .released_settings import Released

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel

    from ..layers.blocks import SkippableBlock


@dataclass(frozen=True)
class InputSizes:
    """The inputs a model takes.

    Attributes:
        image_size: side of a square image in pixels, as in pre-training; what costs are stated for by default.
        patch_size: side of a patch in pixels.
        num_channels: colours of a pixel.
        vocab_size: tokens the text is made of.
        text_length: tokens of a long text, special ones included; what costs are stated for by default.
        longest_text: tokens there are positions for.
    """

    image_size: int
    patch_size: int
    num_channels: int
    vocab_size: int
    text_length: int
    longest_text: int


@dataclass(frozen=True)
class BlockKind:
    """What one class of skippable block looks like.

    Attributes:
        block_class: the class, after adoption.
        width: of its residual stream, from the model's configuration.
        sublayers: number of block adapters per block; 0: the block is only skipped, never adapted.
        skip_factor: default width of the skip adapter, in block-adapter widths.
        lora_targets: names, inside the block, of the linear layers that get LoRA.
        scaled_targets: names of the layers whose outputs (IA)³ scales: keys and values of every attention.
        narrowing: name of the last linear layer of the feed-forward network, whose inputs (IA)³ scales; empty: none.
    """

    block_class: type[SkippableBlock]
    width: Callable[[Any], int]
    sublayers: int
    skip_factor: int
    lora_targets: tuple[str, ...]
    scaled_targets: tuple[str, ...] = ()
    narrowing: str = ""


def fusion_kind(
    block_class: type[SkippableBlock], attentions: tuple[str, ...], widening: str, narrowing: str
) -> BlockKind:
    """A layer of self-attention, cross-attention and feed-forward network.

    Args:
        block_class: the class, after adoption.
        attentions: names, inside the block, of the modules with the ``query``, ``key`` and ``value`` of each attention.
        widening, narrowing: names of the first and the last linear layer of the feed-forward network.
    """

    def of_each(*parts: str) -> tuple[str, ...]:
        return tuple(f"{attention}.{part}" for attention in attentions for part in parts)

    return BlockKind(
        block_class=block_class,
        width=lambda config: int(config.hidden_size),
        sublayers=3,
        skip_factor=3,
        lora_targets=(*of_each("query", "value"), widening, narrowing),
        scaled_targets=of_each("key", "value"),
        narrowing=narrowing,
    )


def encoder_kind(block_class: type[SkippableBlock], config_of: Callable[[Any], Any]) -> BlockKind:
    """A layer of an encoder below the fusion, which is skipped but never adapted.

    Args:
        block_class: the class, after adoption.
        config_of: the encoder's configuration, from the model's.
    """
    return BlockKind(
        block_class=block_class,
        width=lambda config: int(config_of(config).hidden_size),
        sublayers=0,
        skip_factor=3,
        lora_targets=(),
    )


@dataclass(frozen=True)
class Encoder:
    """An encoder below the blocks. Its output for an image or a text depends on nothing else.

    Attributes:
        owner: the module with the method that encodes.
        method: its name. It takes ``(batch, …)`` and, if those are padded tokens, their mask ``(batch, tokens)``, and
            gives ``(batch, rows, width)``; for tokens, a row each.
        weights: the module with all its weights.
    """

    owner: nn.Module
    method: str
    weights: nn.Module


@dataclass(frozen=True)
class Family:
    """The description of a model family, all that other folders need.

    Attributes:
        name: of the family, as transformers' ``config.model_type`` has it, e.g. ``vilt``.
        kinds: the classes of its skippable blocks.
        adopt: switches a model's classes over to skippable ones, in place.
        adopt_encoders: does the same to the layers of encoders below those, for ``scope="global"``; ``None``: there
            are no such layers.
        blocks: names and modules of the skippable blocks, in model order.
        below: modules whose input depends on no skippable block; they run once for all subnetworks on a batch.
        encoders: those below the blocks whose outputs can be cached (:mod:`skiptune.training.encoder_cache`);
            ``None``: there are none, or they would be too large.
        add_prompts: inserts a number of learnt tokens before the first block, which go through all blocks, in place;
            ``None``: its blocks' streams must keep their length.
        small_parts: parameter-name prefixes trained beside the adapters (poolers, token-type embeddings).
        poolers: those of them that are poolers'.
        decayed_norms: prefixes of LayerNorms whose weights the released code decays, because their names there are
            others than those it exempts.
        base_prefix: prefix of the pre-trained body's parameters; what lies outside is the task head.
        config_class: transformers' configuration.
        sizes: of the inputs, from the model's configuration.
        model_classes: task name → class of a model with that task's head.
        pair_config: configuration fields of a model for two images per text.
        pads_images: whether images of different size may be padded into one batch, with a ``pixel_mask``; if not, all
            images have one size.
        matching: whether its retrieval model can have a head for image-text matching (``matching_loss`` in its
            configuration).
        released: task name → settings of the released run.
        processor_classes: of the processor and, with Pillow, its images.
        image_processor: makes an image processor from a configuration and an image side in pixels (the shorter side,
            where images keep their shape).
        fresh_processor: makes a processor for a model with random weights from its configuration.
    """

    name: str
    kinds: tuple[BlockKind, ...]
    adopt: Callable[[nn.Module], None]
    adopt_encoders: Callable[[nn.Module], None] | None
    blocks: Callable[[nn.Module], dict[str, SkippableBlock]]
    below: Callable[[nn.Module], list[nn.Module]]
    encoders: Callable[[nn.Module], list[Encoder]] | None
    add_prompts: Callable[[nn.Module, int], None] | None
    small_parts: tuple[str, ...]
    poolers: tuple[str, ...]
    decayed_norms: tuple[str, ...]
    base_prefix: str
    config_class: type[Any]
    sizes: Callable[[Any], InputSizes]
    model_classes: dict[str, type[PreTrainedModel]]
    pair_config: dict[str, int]
    pads_images: bool
    matching: bool
    released: dict[str, Released]
    processor_classes: tuple[type[Any], type[Any]]
    image_processor: Callable[[Any, int], Any]
    fresh_processor: Callable[[Any], Any]

    def kind_of(self, block: SkippableBlock) -> BlockKind:
        """The entry of a block's class."""
        return next(kind for kind in self.kinds if isinstance(block, kind.block_class))

    def model_class(self, task: str) -> type[PreTrainedModel]:
        """The class with the head of a task.

        Raises:
            InputError: the family has none for it.
        """
        if task not in self.model_classes:
            raise InputError(f"task {task!r}: {self.name} has no head for it{nearest(task, self.model_classes)}")
        return self.model_classes[task]
