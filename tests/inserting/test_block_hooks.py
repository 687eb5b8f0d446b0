"""Watching blocks: every one, skipped ones too, and nothing stays behind."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from conftest import MakeModel
from skiptune import SkipConfig
from skiptune.inserting.block_hooks import Given, block_hooks, output_stream
from skiptune.inserting.selection import blocks_of, choose


def test_blocks_are_watched_in_order_and_hooks_are_removed(make_model: MakeModel, batch: dict[str, Tensor]) -> None:
    adapted = make_model(SkipConfig())
    names = list(blocks_of(adapted))
    choose(adapted, names[:1])
    calls: list[tuple[str, str]] = []

    def before(name: str, block: nn.Module, given: Given) -> None:
        calls.append(("before", name))

    def after(name: str, block: nn.Module, given: Given, output: Any) -> None:
        assert block is blocks_of(adapted)[name]
        assert output_stream(output).shape == given.stream.shape
        calls.append(("after", name))

    with suppress(RuntimeError), block_hooks(adapted, after, before), torch.no_grad():
        adapted(**batch)
        raise RuntimeError
    assert calls == [(when, name) for name in names for when in ("before", "after")]
    adapted(**batch)
    assert len(calls) == 2 * len(names)
