"""Let a vision-language model know where the tokens of its images are while its decoder runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ...core.errors import InputError
from ...layers.input_adapters import InputAdapter
from .cache import cache_of
from .image_runs import image_places
from .layer import SkippableDecoderLayer
from .passage import Passage, begin_passage, present_passage
from .structure import decoder_of
from .towers import body_of


def watch_images(model: nn.Module) -> None:
    """Let a model with a decoder whose layers are skippable begin a :class:`Passage` in every forward pass in which
    image tokens become fewer or pass layers unchanged. In place."""
    body = body_of(model)
    if _begin not in body._forward_pre_hooks.values():
        body.register_forward_pre_hook(_begin, with_kwargs=True)
        body.register_forward_hook(_end, always_call=True)


def _begin(body: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
    decoder: Any = decoder_of(body)
    layers = [layer for layer in decoder.layers if isinstance(layer, SkippableDecoderLayer)]
    if not any(layer.frozen or layer.reduction is not None for layer in layers):
        return
    kind = decoder.config._attn_implementation
    if kind not in _KINDS:
        raise InputError(
            f"attn_implementation: {kind!r}: where image tokens become fewer, attention needs a mask; use "
            f"{' or '.join(map(repr, _KINDS))}"
        )
    image = image_places(body, given, named)
    if any(layer.reduction is not None for layer in layers):
        _refuse_parts(cache_of(named), image)
    begin_passage(Passage(image, layers[-1]))


def _end(body: nn.Module, given: tuple[Any, ...], output: Any) -> None:
    passage = present_passage()
    cache = cache_of(output) if isinstance(output, Mapping) else None
    if passage is not None and cache is not None:
        setattr(cache, _ENDS, passage.image[:, -1])
    begin_passage(None)


def _refuse_parts(cache: Any, image: Tensor) -> None:
    """Refuse an image that comes in parts, each of which would lose tokens by itself.

    Args:
        cache: of the text so far; ``None``: it begins here.
        image: true at tokens of images, of what comes now, ``(batch, tokens)``.

    Raises:
        InputError: the text so far ends within an image.
    """
    ends = getattr(cache, _ENDS, None)
    if ends is None or image.shape[1] == 1 or not int(cache.get_seq_length()):
        return
    if bool(image[:, 0].any()) and bool(ends.any()):
        raise InputError(
            "prefill_chunk_size: an image's tokens came in parts, and which of them go on is decided for all of them "
            "together; leave it out, or pass parts that end behind an image"
        )


#: Where a cache has whether the text so far ends with a token of an image, ``(batch,)``.
_ENDS = "skiptune_ends_with_image"


#: Attention that takes a mask of any form.
_KINDS = ("sdpa", "eager")


def reducible(model: nn.Module) -> tuple[str, ...]:
    """The decoder's layers, where whole ones are skippable. Not with adapters that go by a text's first token, which
    may have become another."""
    layers = _layers(model)
    routed = any(getattr(adapter, "routed", False) for layer in layers.values() for adapter in _adapters(layer))
    return () if routed else tuple(layers)


def freezable(model: nn.Module) -> tuple[str, ...]:
    """Those layers; not with adapters on the inputs of their halves, which keys and values of passing tokens lack."""
    layers = _layers(model)
    return tuple(name for name, layer in layers.items() if not any(map(_on_inputs, _adapters(layer))))


def _layers(model: nn.Module) -> dict[str, SkippableDecoderLayer]:
    layers = enumerate(decoder_of(model).layers)
    return {str(number): layer for number, layer in layers if isinstance(layer, SkippableDecoderLayer)}


def _adapters(layer: SkippableDecoderLayer) -> list[nn.Module | None]:
    return [layer.skip_adapter, *(layer.block_adapters or ())]


def _on_inputs(adapter: nn.Module | None) -> bool:
    return isinstance(adapter, InputAdapter)
