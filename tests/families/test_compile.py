"""torch.compile: slim models are one graph, with the same outputs. The backend ``eager`` needs no compiler."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from skiptune import Plan, SkipConfig, TokenSchedule, blocks_of, prune
from skiptune.config.way import Way
from skiptune.families.vilt import skipping as vilt
from two_streams import make, make_batch


@pytest.fixture(autouse=True)
def forget_compiled() -> Iterator[None]:
    yield
    torch.compiler.reset()


@torch.no_grad()
def positioned(model: Any) -> Any:
    """A ViLT with position embeddings, which are zero in a new one."""
    positions = model.vilt.embeddings.position_embeddings
    positions.copy_(torch.randn(positions.shape, generator=torch.Generator().manual_seed(0)))
    return model


@torch.no_grad()
def graph_agrees(model: torch.nn.Module, batch: dict[str, Tensor]) -> None:
    """``fullgraph`` raises at the first break."""
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(**batch).logits, model(**batch).logits, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("adapters", ["bottleneck", "lora"])
def test_vilt_with_padded_images(adapters: str, make_model, batch: dict[str, Tensor]) -> None:
    model = positioned(make_model(SkipConfig(block_adapter=adapters), noise=0.1))
    blocks = tuple(blocks_of(model))
    graph_agrees(prune(model, Plan("vilt", blocks, blocks[:2])), batch)


@pytest.mark.parametrize(
    "way", ["merge", *(pytest.param(way, marks=pytest.mark.slow) for way in ("pool", "prune", "both"))]
)
def test_fewer_image_tokens(way: Way, make_model, batch: dict[str, Tensor]) -> None:
    model = positioned(make_model(SkipConfig(block_adapter="lora"), noise=0.1))
    tokens = TokenSchedule(keep={"1": 0.6, "3": 0.3}, way=way)
    graph_agrees(prune(model, Plan("vilt", tuple(blocks_of(model)), ("2",), tokens=tokens)), batch)
    meter = make("meter", SkipConfig(block_adapter="lora", scope="global"), noise=0.1)
    given = {name: value for name, value in make_batch().items() if name != "labels"}
    tokens = TokenSchedule(keep={"clip.1": 0.6, "image.1": 0.3}, way=way)
    graph_agrees(prune(meter, Plan("meter", tuple(blocks_of(meter)), ("text.0",), tokens=tokens)), given)


@pytest.mark.parametrize(
    ("family", "task"), [("meter", "retrieval"), pytest.param("bridgetower", "vqa", marks=pytest.mark.slow)]
)
def test_two_streams(family: str, task: str) -> None:
    model = make(family, SkipConfig(), noise=0.1, task=task)
    blocks = tuple(blocks_of(model))
    batch = {name: value for name, value in make_batch().items() if name != "labels"}
    if task == "retrieval":
        texts = {name: batch[name].unsqueeze(1).repeat(1, 2, 1) for name in ("input_ids", "attention_mask")}
        batch = {**batch, **texts}
    graph_agrees(prune(model, Plan(family, blocks, (blocks[0], blocks[-1]))), batch)


def test_positions_are_the_same_for_every_size_of_image(make_model) -> None:
    """What runs under a compiler, against what runs without."""
    embeddings = positioned(make_model(SkipConfig())).vilt.embeddings
    assert isinstance(embeddings, vilt.RasterViltEmbeddings)
    sizes = [(5, 7), (3, 3), (1, 7), (2, 1), (5, 1), (4, 6)]
    mask = torch.zeros(len(sizes), 5, 7, dtype=torch.long)
    for row, (height, width) in enumerate(sizes):
        mask[row, :height, :width] = 1
    found, expected = embeddings._any_positions(mask), embeddings._positions(mask, embeddings.config.hidden_size)
    assert expected.abs().max() > 0.5
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_padding_that_is_kept_changes_nothing(make_model, batch: dict[str, Tensor], monkeypatch) -> None:
    """Also where no image of the batch fills it, which drops patches outside of a compiler."""
    model = positioned(make_model(SkipConfig(), noise=0.1))
    narrow = {**batch, "pixel_mask": batch["pixel_mask"].clone()}
    narrow["pixel_mask"][..., 48:] = 0
    expected = [model(**given).logits for given in (batch, narrow)]
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    found = [model(**given).logits for given in (batch, narrow)]
    assert not torch.equal(*expected)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_a_compiled_model_in_bfloat16(make_model, batch: dict[str, Tensor], monkeypatch) -> None:
    model = positioned(make_model(SkipConfig(), noise=0.1)).bfloat16()
    given = {**batch, "pixel_values": batch["pixel_values"].bfloat16()}
    expected = model(**given).logits
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    torch.testing.assert_close(model(**given).logits, expected, rtol=0.05, atol=0.05)
