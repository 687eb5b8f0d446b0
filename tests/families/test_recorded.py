"""While a CUDA graph is captured, a slim model reads no values back from the device and moves none to it.

On the meta device, which has no values, reading one raises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from on_device import adapted, batch_for, fewer_tokens
from skiptune import blocks_of
from skiptune.families.decoders.image_runs import Runs, image_places, runs_of
from skiptune.families.decoders.passage import Passage, begin_passage
from skiptune.families.decoders.structure import decoder_of
from skiptune.inserting.pruning import prune
from skiptune.plan import Plan


class NothingMoves(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Context in which no tensor goes from one device to another."""

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, object] | None = None
    ) -> Any:
        found = func(*args, **(kwargs or {}))
        if func in (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default):
            devices = {leaf.device.type for leaf in tree_leaves((args, found)) if isinstance(leaf, Tensor)}
            assert len(devices) == 1, f"{func} between {devices}"
        return found


@pytest.fixture(autouse=True)
def capturing(monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers' models and ours ask whether a graph is captured."""
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)


def slim(name: str, fewer: bool) -> tuple[Any, Mapping[str, Tensor]]:
    model = adapted(name)
    given, blocks = batch_for(name, model), tuple(blocks_of(model))
    plan = Plan(model.config.model_type, blocks, blocks[1::3], tokens=fewer_tokens(model) if fewer else None)
    return prune(model, plan).eval().to("meta"), given


def on_meta(given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.to("meta") for name, value in given.items()}


@torch.no_grad()
@pytest.mark.parametrize("fewer", [False, True], ids=["all tokens", "fewer tokens"])
@pytest.mark.parametrize("name", ["vilt", "meter", "bridgetower"])
def test_a_slim_model(name: str, fewer: bool) -> None:
    model, given = slim(name, fewer)
    moved = on_meta(given)
    with NothingMoves():
        assert model(**moved).logits.shape == (2, 5)


@torch.no_grad()
def test_a_decoder_that_knows_where_its_images_are() -> None:
    """From embeddings on: transformers' model around it reads the number of image tokens back."""
    model, given = slim("llava", True)
    image = image_places(model, (), given)
    runs = tuple(
        Runs(each.numbers, each.rows.to("meta"), each.columns.to("meta"), each.whole) for each in runs_of(image)
    )
    decoder: Any = decoder_of(model)
    embedded = torch.empty(*image.shape, model.config.text_config.hidden_size, device="meta")
    moved = image.to("meta")
    with NothingMoves():
        begin_passage(Passage(moved, decoder.layers[-1], runs))
        try:
            found = decoder(inputs_embeds=embedded, use_cache=True).last_hidden_state
        finally:
            begin_passage(None)
    assert found.shape == embedded.shape
