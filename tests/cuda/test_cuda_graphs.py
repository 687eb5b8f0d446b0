"""Slim models are captured as CUDA graphs, and a replay on other inputs is a forward pass on them."""

from __future__ import annotations

import pytest
import torch

from on_device import adapted, batch_for, copied, fewer_tokens, logits, needs_cuda, there
from skiptune import blocks_of
from skiptune.inserting.pruning import prune
from skiptune.plan import Plan

pytestmark = needs_cuda


@torch.no_grad()
@pytest.mark.parametrize("fewer", [False, True], ids=["all tokens", "fewer tokens"])
@pytest.mark.parametrize("name", ["vilt", "meter", "bridgetower"])
def test_a_slim_model(name: str, fewer: bool) -> None:
    model = copied(adapted(name))
    given, blocks = there(batch_for(name, model)), tuple(blocks_of(model))
    tokens = fewer_tokens(model) if fewer else None
    slim = prune(model, Plan(model.config.model_type, blocks, blocks[1::3], tokens=tokens)).eval()
    logits(slim, given)  # whatever libraries set up
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(2):
            logits(slim, given)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = logits(slim, given)
    others = {
        "pixel_values": torch.randn_like(given["pixel_values"]),
        "input_ids": given["input_ids"].roll(1, 0),
    }
    for key, value in others.items():
        given[key].copy_(value)
    graph.replay()
    torch.testing.assert_close(captured, logits(slim, given), rtol=1e-3, atol=1e-4)
