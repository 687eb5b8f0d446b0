"""The description of a model family: its blocks, its classes, the sizes of its inputs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ..core.errors import InputError
from ..core.validation import nearest
from .block_kind import BlockKind, adopt_blocks
from .released_settings import Released

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedModel


#: Makes a batch for a model, from height and width of an image in pixels, tokens of text, and the number of examples.
ExampleInputs: TypeAlias = "Callable[[nn.Module, tuple[int, int], int, int], dict[str, Tensor]]"


@dataclass(frozen=True)
class InputSizes:
    """The inputs a model takes.

    Costs are counted and timed on random inputs of these sizes.

    Attributes:
        image_size: side of a square image in pixels, as in pre-training; what costs are stated for by default.
        patch_size: side of a patch in pixels.
        vocab_size: tokens the text is made of.
        text_length: tokens of a long text, special ones included; what costs are stated for by default.
        longest_text: tokens there are positions for.
        num_channels: colours of a pixel.
        end_token: number of the token that a text's vector is read at (CLIP); ``None``: the model does not look for
            one.
    """

    image_size: int
    patch_size: int
    vocab_size: int
    text_length: int
    longest_text: int
    num_channels: int = 3
    end_token: int | None = None


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


def _nothing(model: nn.Module) -> list[nn.Module]:
    return []


def no_places(model: nn.Module) -> tuple[str, ...]:
    """Image tokens cannot become fewer, or pass no block unchanged."""
    return ()


def all_read(config: Any) -> tuple[str, ...]:
    """No block is without effect."""
    return ()


def none_protected(config: Any) -> Mapping[str, str]:
    """A search may skip every block."""
    return {}


def _all_plain(model: nn.Module, skipped: Collection[str]) -> str:
    return ""


def _no_images(config: Any, side: int) -> Any:
    raise InputError(f"{config.model_type}: the family makes no image processors (image_processor)")


def _no_processor(config: Any) -> Any:
    raise InputError(f"{config.model_type}: the family makes no processors for random weights (fresh_processor)")


@dataclass(frozen=True)
class Family:
    """The description of a model family, all that other folders need; :func:`skiptune.register_family` adds one.

    Attributes:
        name: of the family, as transformers' ``config.model_type`` has it, e.g. ``vilt``.
        kinds: the classes of its skippable blocks.
        blocks: names and modules of the skippable blocks, in model order, from any of the family's models.
        config_class: transformers' configuration.
        sizes: of the inputs, from the model's configuration.
        base_prefix: prefix of the pre-trained body's parameters, or several; what lies outside is the task head. A body
            on its own has names without the first of them. Empty: see :meth:`of_body`.
        model_classes: task name → class of a model with that task's head; none for models that are trained by a
            ``Trainer`` of one's own.
        bare_classes: further classes that are trained so, whose slim models load without being named.
        adopt: switches a model's classes over to skippable ones, in place; ``None``: each of ``blocks`` becomes the
            kind that inherits from its class.
        adopt_encoders: does the same to the layers of encoders below those, for ``scope="global"``; ``None``: there
            are no such layers.
        adopt_halves: makes the halves of layers named in ``SkipConfig.parts`` skippable instead of whole layers, in
            place; ``None``: its blocks have no such halves.
        below: modules whose input depends on no skippable block; they run once for all subnetworks on a batch.
        protected: blocks that a search never skips, from the model's configuration: name → why, as a part of a sentence
            after "kept because". A layer's name stands for both of its halves. A plan that is given may skip them.
        reducible: names of the blocks before which image tokens can become fewer, in the order in which they run on the
            image's stream, from a model whose blocks are skippable; none by default.
        why_not_before: why they cannot before other blocks, as a part of a sentence; empty: there is nothing to say.
        freezable: likewise those that image tokens can pass unchanged while text goes through them.
        encoders: those below the blocks whose outputs can be cached (:mod:`skiptune.training.encoder_cache`);
            ``None``: there are none, or they would be too large.
        add_prompts: inserts a number of learnt tokens before the first block, which go through all blocks, in place;
            ``None``: no token can be added there.
        small_parts: parameter-name prefixes trained beside the adapters (poolers, token-type embeddings).
        poolers: those of them that are poolers'.
        decayed_norms: prefixes of LayerNorms whose weights the released code decays, because their names there are
            others than those it exempts.
        pair_config: configuration fields of a model for two images per text.
        pads_images: whether images of different size may be padded into one batch, with a ``pixel_mask``; if not, all
            images have one size.
        fills_texts: whether every text is filled up to the longest there are positions for, and the model attends to
            the filling, as in pre-training (SigLIP).
        matching: whether its retrieval model can have a head for image-text matching (``matching_loss`` in its
            configuration).
        released: task name → settings of the released run.
        example_inputs: makes random inputs of one size, for counting and timing; ``None``: a text and one image by
            themselves, as ``sizes`` says.
        unread: names of blocks whose output nothing reads, from the model's configuration: skipping them changes
            nothing (LLaVA computes CLIP's last layer and does not read it).
        not_plain: why a checkpoint that transformers' own class reads cannot lack some of the blocks, from a model and
            the names of those that would go: code counts on their position. Empty: it can.
        processor_classes: of the processor and, with Pillow, its images; tasks know the family by the first. ``None``:
            the family is trained by a ``Trainer`` of one's own.
        image_processor: makes an image processor from a configuration and an image side in pixels (the shorter side,
            where images keep their shape).
        fresh_processor: makes a processor for a model with random weights from its configuration.
    """

    name: str
    kinds: tuple[BlockKind, ...]
    blocks: Callable[[nn.Module], Mapping[str, nn.Module]]
    config_class: type[Any]
    sizes: Callable[[Any], InputSizes]
    base_prefix: str | tuple[str, ...]
    model_classes: Mapping[str, type[PreTrainedModel]] = field(default_factory=dict)
    bare_classes: tuple[type[PreTrainedModel], ...] = ()
    adopt: Callable[[nn.Module], None] | None = None
    adopt_encoders: Callable[[nn.Module], None] | None = None
    adopt_halves: Callable[[nn.Module, Sequence[str]], None] | None = None
    below: Callable[[nn.Module], list[nn.Module]] = _nothing
    protected: Callable[[Any], Mapping[str, str]] = none_protected
    reducible: Callable[[nn.Module], tuple[str, ...]] = no_places
    why_not_before: str = ""
    freezable: Callable[[nn.Module], tuple[str, ...]] = no_places
    encoders: Callable[[nn.Module], list[Encoder]] | None = None
    add_prompts: Callable[[nn.Module, int], None] | None = None
    small_parts: tuple[str, ...] = ()
    poolers: tuple[str, ...] = ()
    decayed_norms: tuple[str, ...] = ()
    pair_config: Mapping[str, int] = field(default_factory=dict)
    pads_images: bool = False
    fills_texts: bool = False
    matching: bool = False
    released: Mapping[str, Released] = field(default_factory=dict)
    example_inputs: ExampleInputs | None = None
    unread: Callable[[Any], tuple[str, ...]] = all_read
    not_plain: Callable[[nn.Module, Collection[str]], str] = _all_plain
    processor_classes: tuple[type[Any], type[Any]] | None = None
    image_processor: Callable[[Any, int], Any] = _no_images
    fresh_processor: Callable[[Any], Any] = _no_processor

    @property
    def usual_adapter(self) -> Literal["bottleneck", "lora"]:
        """What adapts kept blocks where nothing is named: LoRA, if none of them has a place for bottlenecks."""
        return "bottleneck" if any(kind.sublayers for kind in self.kinds) else "lora"

    @property
    def generates(self) -> bool:
        """Whether its models write text."""
        return "generation" in self.model_classes

    @property
    def body_prefixes(self) -> tuple[str, ...]:
        """The prefixes of the pre-trained body's parameters."""
        return (self.base_prefix,) if isinstance(self.base_prefix, str) else tuple(self.base_prefix)

    def full_name(self, model: nn.Module, name: str) -> str:
        """The name of a parameter in a model with a head, as this table has names, from that in ``model``."""
        whole = any(hasattr(model, prefix.partition(".")[0]) for prefix in self.body_prefixes)
        return name if whole else self.body_prefixes[0] + name

    def of_body(self, model: nn.Module) -> Callable[[str], bool]:
        """Whether the parameter of a name in ``model`` is one of the pre-trained body, and not of a task head.

        Where ``base_prefix`` is empty, the head that generates is part of the body, and what else lies outside of
        transformers' ``base_model`` is a head (``score`` of ``LlamaForSequenceClassification``).
        """
        if self.body_prefixes != ("",):
            return lambda name: self.full_name(model, name).startswith(self.body_prefixes)
        bodies = (getattr(model, "base_model", model), getattr(model, "get_output_embeddings", lambda: None)())
        own = {id(parameter) for body in bodies if body is not None for parameter in body.parameters()}
        return lambda name: id(model.get_parameter(name)) in own

    def make_skippable(self, model: nn.Module) -> None:
        """Switch the classes of a model's blocks over to skippable ones, in place.

        Raises:
            InputError: a block is of a class that no kind inherits from.
        """
        if self.adopt is not None:
            self.adopt(model)
            return
        adopt_blocks(self.name, self.kinds, self.blocks(model))

    @property
    def processors(self) -> tuple[type[Any], type[Any]]:
        """The classes of the processor and, with Pillow, its images.

        Raises:
            InputError: it names none.
        """
        if self.processor_classes is None:
            raise InputError(
                f"{self.name}: its models fit no task, for the family names no processor_classes; train them by a "
                "Trainer of your own (SkipSearch)"
            )
        return self.processor_classes

    def kind_of(self, block: nn.Module) -> BlockKind:
        """The entry of a block's class."""
        return next(kind for kind in self.kinds if isinstance(block, kind.block_class))

    def model_class(self, task: str) -> type[PreTrainedModel]:
        """The class with the head of a task.

        Raises:
            InputError: the family has none for it.
        """
        if not self.model_classes:
            raise InputError(
                f"task {task!r}: {self.name} has no heads for tasks; train it by a Trainer of your own (SkipSearch)"
            )
        if task not in self.model_classes:
            raise InputError(f"task {task!r}: {self.name} has no head for it{nearest(task, self.model_classes)}")
        return self.model_classes[task]

    def released_run(self, task: str) -> Released:
        """The settings of the released run of a task, for ``preset: paper``.

        Raises:
            InputError: there is none.
        """
        if task not in self.released:
            raise InputError(f"preset: 'paper': there is no released run of {task} with {self.name}; leave it out")
        return self.released[task]
