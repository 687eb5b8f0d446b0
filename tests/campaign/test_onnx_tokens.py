"""ONNX with fewer image tokens, for pictures of any size. Its tracing takes minutes, so ``make test`` leaves it out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import skiptune as st
from campaign_form import LONG
from skiptune.costs.example_inputs import example_inputs
from skiptune.exporting.onnx.description import read_description
from skiptune.exporting.onnx.session import make
from skiptune.inserting.selection import blocks_of, choose


@pytest.mark.skipif(not LONG, reason="only in make campaign")
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("way", ["merge", "prune", "both", "pool"])
def test_onnx_gives_torchs_numbers_for_pictures_of_any_size(way: Any, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    model = st.load_model("vilt-tiny", "vqa", quiet=True, num_labels=4)
    st.insert(model, st.SkipConfig(block_adapter="lora")).eval()
    tokens = st.TokenSchedule(keep={"1": 0.7, "2": 0.4}, way=way)
    plan = st.Plan("vilt", tuple(blocks_of(model)), ("0",), tokens=tokens)
    choose(model, plan)
    folder = st.export_onnx(model, tmp_path / "onnx", int8=True, plan=plan)
    session = make(folder / "model.onnx", read_description(folder))
    for size, batch in (((96, 128), 1), ((64, 160), 3)):
        given = example_inputs(model, size, 7, batch)
        given["pixel_mask"] = torch.ones(batch, *size, dtype=torch.long)
        given["pixel_mask"][-1, :, 64:] = 0
        with torch.no_grad():
            expected = model(**given).logits
        assert torch.allclose(session(**given).logits, expected, atol=1e-5)
