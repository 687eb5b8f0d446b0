"""Watch the residual stream before and after every skippable block while a model runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, TypeAlias

from torch import Tensor, nn

from ..layers.blocks import SkippableBlock, StreamPoint
from ..models.module_names import module_names
from .block_hooks import Given, output_stream
from .selection import blocks_of

#: Called with a block's name, the stream before and after it, ``(batch, tokens, width)``, and where that is no padding,
#: ``(batch, tokens)``; ``None``: everywhere, or not known.
WatchStream: TypeAlias = Callable[[str, Tensor, Tensor, Tensor | None], None]


def real_tokens(stream: Tensor, mask: Tensor | None) -> Tensor:
    """The tokens of ``(…, tokens, width)`` that are no padding by ``mask``, ``(…, tokens)``: ``(rows, width)``."""
    return stream.flatten(0, -2) if mask is None else stream[mask]


@contextmanager
def stream_hooks(model: nn.Module, watch: WatchStream) -> Iterator[None]:
    """Within this context, call ``watch`` for every block in running order, once the stream after it is there.

    Half a layer maps the normed stream to what is added to it; here it comes with the stream itself. Only blocks of
    decoders say which tokens are padding.

    Raises:
        InputError: the model has no skippable blocks.
    """
    paths = module_names(model)
    with ExitStack() as hooks:
        for name, block in blocks_of(model).items():
            owner = model.get_submodule(paths[id(block)].rpartition(".")[0])
            _Watched(name, block, watch).add(owner, hooks)
        yield


class _Watched:
    """One block, with the stream before it and its mask while it runs."""

    def __init__(self, name: str, block: SkippableBlock, watch: WatchStream) -> None:
        self.name, self.block, self.watch = name, block, watch
        self.before: Tensor
        self.mask: Tensor | None = None

    def add(self, owner: nn.Module, hooks: ExitStack) -> None:
        before, after = self.block.stream_points(owner)
        masked = after.module if after.after else before.module  # the layer, which is given the mask
        if self.block.causal:
            hooks.enter_context(masked.register_forward_pre_hook(self._take_mask, with_kwargs=True))
        for point, called in ((before, self._start), (after, self._end)):
            hooks.enter_context(_read(point, called))

    def _take_mask(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.mask = self.block.own_mask(args, kwargs)

    def _start(self, stream: Tensor) -> None:
        self.before = stream

    def _end(self, stream: Tensor) -> None:
        self.watch(self.name, self.before, stream, self.mask)


def _read(point: StreamPoint, called: Callable[[Tensor], None]) -> Any:
    if point.after:
        return point.module.register_forward_hook(partial(_given_out, called))
    return point.module.register_forward_pre_hook(partial(_given_in, called), with_kwargs=True)


def _given_out(called: Callable[[Tensor], None], module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
    called(output_stream(output))


def _given_in(
    called: Callable[[Tensor], None], module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    called(Given(args, kwargs).stream)
