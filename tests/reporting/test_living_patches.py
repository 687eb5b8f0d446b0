"""What becomes of every patch is told rightly, and the model's outputs are as without telling."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import skiptune as st
from skiptune.costs.example_inputs import example_inputs
from skiptune.inserting.selection import choose, chosen_tokens
from skiptune.layers.token_reduction import tokens_left
from skiptune.reporting.living_patches import traced_patches
from skiptune.reporting.patch_picture import patch_picture


@pytest.mark.parametrize("way", ["merge", "prune", "both", "pool"])
def test_every_patch_is_told_of(way: Any) -> None:
    model = st.load_model("vilt-tiny", "vqa", quiet=True, num_labels=4)
    st.insert(model, st.SkipConfig(block_adapter="lora")).eval()
    schedule = st.TokenSchedule(keep={"1": 0.6, "2": 0.3}, way=way)
    choose(model, (), schedule)
    given = example_inputs(model, (96, 128), 7, 2)
    expected = model(**given).logits
    with torch.no_grad(), traced_patches(model) as found:
        assert torch.equal(model(**given).logits, expected)
    assert chosen_tokens(model) == schedule
    assert torch.equal(model(**given).logits, expected)
    whole = found["1"].shape[2]
    for name, share in schedule.keep.items():
        groups = found[name]
        assert groups.shape == (2, tokens_left(share, way, whole, 8), whole)
        owners = groups.sum(1)
        assert int(owners.max()) == 1  # nobody belongs to two
        assert bool(groups.any(2).all())  # every token stands for somebody
        assert bool((owners == 1).all()) == (way in ("merge", "pool"))
    assert not bool((found["2"].any(1) & ~found["1"].any(1)).any())  # what was left out stays out


def test_the_picture_is_dark_where_patches_were_left_out() -> None:
    groups = np.zeros((2, 6), dtype=bool)
    groups[0, 0] = groups[1, [1, 2]] = True
    content = patch_picture([np.full((32, 48, 3), 0.8)], [{"3": groups}], 16)
    assert content.startswith(b"\x89PNG")
