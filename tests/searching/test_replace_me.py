"""ReplaceMe: a stretch whose blocks do something linear is replaced without loss; what cannot be is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from decoder_training import LORA, collate, decoder, rows
from skiptune import InputError, SkipConfig, export, insert, load, replace_me, skipped_blocks
from skiptune.inserting.selection import choose
from tiny_decoders import text_decoder

NOTHING = SkipConfig(block_adapter="none", skip_adapter="none")


def test_a_linear_map_stands_in_for_a_stretch(tmp_path: Path) -> None:
    model = insert(text_decoder("llama"), NOTHING).eval()
    batches = [collate(rows(16, seed)) for seed in range(6)]
    with torch.no_grad():
        whole = model(**batches[0])
        wrong = {}
        for first in (1, 2):
            choose(model, [str(first), str(first + 1)])
            wrong[first] = float((model(**batches[0]).logits - whole.logits).norm())
        plan = replace_me(model, batches, num_skip=2)
        first = int(plan.skipped[0])
        assert plan.skipped == (str(first), str(first + 1)) == skipped_blocks(model)
        replaced = float((model(**batches[0]).logits - whole.logits).norm())
        assert replaced < 0.95 * wrong[first]  # of random layers

        slim = load(export(model, tmp_path / "slim", plan))
        again = slim(**batches[0]).logits
    torch.testing.assert_close(again, model(**batches[0]).logits.detach(), rtol=1e-5, atol=1e-6)


def test_a_stretch_that_is_linear_is_replaced_without_loss() -> None:
    model = insert(text_decoder("llama"), NOTHING).eval()
    layers = model.model.layers
    with torch.no_grad():
        for layer in layers[1:3]:  # they add nothing, so that the map is the identity
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        batch = collate(rows(40))
        whole = model(**batch).logits
        plan = replace_me(model, [batch], num_skip=2)
        assert plan.skipped == ("1", "2")
        torch.testing.assert_close(model(**batch).logits, whole, rtol=1e-3, atol=1e-4)


def test_what_cannot_be_replaced() -> None:
    batches = [collate(rows(2))]
    with pytest.raises(InputError, match="trains nothing"):
        replace_me(decoder(LORA), batches, 1)
    with pytest.raises(InputError, match="gemma2: what its feed-forward networks give"):
        replace_me(insert(text_decoder("gemma2"), NOTHING), batches, 1)
    model = insert(text_decoder("llama"), NOTHING)
    with pytest.raises(InputError, match=r"num_skip: 4 is not in \[1, 3\]"):
        replace_me(model, batches, 4)
    with pytest.raises(InputError, match="no batches"):
        replace_me(model, [], 1)
    with pytest.raises(InputError, match="batches: 'input_ids' is not the arguments of a model by name"):
        replace_me(model, batches[0], 1)  # type: ignore[arg-type]


def test_batches_that_are_read_once() -> None:
    plan = replace_me(insert(text_decoder("llama"), NOTHING), (collate(rows(2)) for _ in range(2)), 1)  # type: ignore[arg-type]
    assert len(plan.skipped) == 1
