"""Watch the skippable blocks of a model while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, TypeAlias

from torch import Tensor, nn

from ..layers.blocks import SkippableBlock
from .selection import blocks_of

#: Called with a block's name, the block and its positional arguments.
BeforeBlock: TypeAlias = Callable[[str, SkippableBlock, tuple[Any, ...]], None]
#: Called with a block's name, the block, its positional arguments and its output.
AfterBlock: TypeAlias = Callable[[str, SkippableBlock, tuple[Any, ...], Any], None]


@contextmanager
def block_hooks(model: nn.Module, after: AfterBlock, before: BeforeBlock | None = None) -> Iterator[None]:
    """Within this context, call ``before`` when a block starts and ``after`` when it is done, skipped ones too.

    Raises:
        InputError: the model has no skippable blocks.
    """
    with ExitStack() as hooks:
        for name, block in blocks_of(model).items():
            if before is not None:
                hooks.enter_context(block.register_forward_pre_hook(partial(before, name)))
            hooks.enter_context(block.register_forward_hook(partial(after, name)))
        yield


def output_stream(output: Any) -> Tensor:
    """The residual stream, ``(batch, tokens, width)``, in a block's output: families return a tensor or a tuple."""
    found: Tensor = output if isinstance(output, Tensor) else output[0]
    return found
