"""Watch the skippable blocks of a model while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from torch import Tensor, nn

from ..layers.blocks import SkippableBlock
from .selection import blocks_of


@dataclass(frozen=True)
class Given:
    """The arguments of a block."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    @property
    def stream(self) -> Tensor:
        """The first of them, ``(batch, tokens, width)``: the residual stream, or its normed form for half a layer."""
        found: Tensor = self.args[0] if self.args else next(iter(self.kwargs.values()))
        return found


#: Called with a block's name, the block and its arguments.
BeforeBlock: TypeAlias = Callable[[str, SkippableBlock, Given], None]
#: Called with a block's name, the block, its arguments and its output.
AfterBlock: TypeAlias = Callable[[str, SkippableBlock, Given, Any], None]


@contextmanager
def block_hooks(model: nn.Module, after: AfterBlock, before: BeforeBlock | None = None) -> Iterator[None]:
    """Within this context, call ``before`` when a block starts and ``after`` when it is done, skipped ones too.

    Raises:
        InputError: the model has no skippable blocks.
    """
    with ExitStack() as hooks:
        for name, block in blocks_of(model).items():
            if before is not None:
                hook = block.register_forward_pre_hook(partial(_called_before, before, name), with_kwargs=True)
                hooks.enter_context(hook)
            hooks.enter_context(block.register_forward_hook(partial(_called_after, after, name), with_kwargs=True))
        yield


def _called_before(
    before: BeforeBlock, name: str, block: SkippableBlock, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    before(name, block, Given(args, kwargs))


def _called_after(
    after: AfterBlock, name: str, block: SkippableBlock, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
) -> None:
    after(name, block, Given(args, kwargs), output)


def output_stream(output: Any) -> Tensor:
    """The residual stream, ``(batch, tokens, width)``, in a block's output: families return a tensor or a tuple."""
    found: Tensor = output if isinstance(output, Tensor) else output[0]
    return found
