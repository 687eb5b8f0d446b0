"""Insert the adapters of the released decoders into one block."""

from __future__ import annotations

from typing import Any

from ..config import SkipConfig
from ..layers.adapters import Init
from ..layers.input_adapters import InputAdapter, LavinAdapter, LavinRouter, LlavaAdapter


def add_input_adapters(block: Any, config: SkipConfig, width: int, bottlenecks: tuple[int, int]) -> None:
    """Add the skip adapter and block adapters, each unless the configuration has others or none in its place.

    Args:
        block: a skippable block that takes input adapters.
        config: with a ``placement`` of the released decoders.
        width: of the residual stream.
        bottlenecks: widths of block and skip adapters.

    Raises:
        InputError: widths that the adapters cannot have.
    """
    example, (block_width, skip_width) = next(block.parameters()), bottlenecks

    def made(bottleneck: int) -> InputAdapter:
        return _adapter(config, width, bottleneck).to(example).train(block.training)  # they may drop out

    # all are made before one is added, so that widths that cannot be leave the block as it was
    skip_adapter = made(skip_width) if config.skip_adapter == "bottleneck" else None
    if config.block_adapter == "bottleneck":
        first = made(block_width)
        block.add_input_adapters([first, *(made(block_width) for _ in range(1, first.sublayers))])
    block.skip_adapter = skip_adapter


def _adapter(config: SkipConfig, width: int, bottleneck: int) -> InputAdapter:
    if config.placement == "lavin_router":
        return LavinRouter(width, bottleneck, config.adapter_scale, config.router_temperature)
    init: Init = "paper" if config.init == "paper" else "zero"
    if config.placement == "llava":
        return LlavaAdapter(width, bottleneck, init)
    return LavinAdapter(width, bottleneck, init, config.adapter_scale)
