"""Evaluating several subnetworks at once: equal to one after the other in every bit, and as cheap as the tree says."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest
import torch

from skiptune import SkipConfig, choose, insert, load_model
from skiptune.inserting.selection import blocks_of, skipped_blocks
from skiptune.searching.prefix_sharing import block_runs, evaluate_each
from two_streams import EVERYWHERE, make, make_batch

CONFIGS = {"fusion": SkipConfig(), "global": EVERYWHERE}


def evaluate_plainly(model, sets, batch):
    found = []
    with torch.no_grad():
        for skipped in sets:
            choose(model, skipped)
            found.append(model(**batch))
    return found


def check_same(model, sets, batch) -> Counter[str]:
    plain = evaluate_plainly(model, sets, batch)
    choose(model, sets[0])
    ran: Counter[str] = Counter()
    numbers = []
    for number, output in evaluate_each(model, sets, lambda: model(**batch), ran):
        numbers.append(number)
        assert torch.equal(output.loss, plain[number].loss)
        assert torch.equal(output.logits, plain[number].logits)
    assert sorted(numbers) == list(range(len(sets)))
    assert skipped_blocks(model) == tuple(sets[0])
    assert not any("forward" in module.__dict__ for module in model.modules())
    return ran


def test_all_subnetworks_of_vilt(make_model, task, records) -> None:
    model = make_model(SkipConfig(init="paper")).eval()
    names = list(blocks_of(model))
    sets = list(combinations(names, 2))
    ran = check_same(model, sets, task.collate(records[:6]))
    assert ran.total() == block_runs(sets, names) < len(sets) * (len(names) - 2)


@pytest.mark.parametrize("scope", CONFIGS)
@pytest.mark.parametrize("family", ["meter", "bridgetower"])
def test_both_families_of_two_streams(family: str, scope: str) -> None:
    model = make(family, CONFIGS[scope], noise=0.05)
    names = list(blocks_of(model))
    sets = [names[:2], names[-2:], [names[0], names[-1]], names[1:3], names[:2]]
    ran = check_same(model, sets, make_batch())
    assert ran.total() < len(sets) * (len(names) - 2)
    encoders = [name for name in names if name.startswith(("roberta", "clip"))]
    assert bool(set(ran) & set(encoders)) == (scope == "global")


def test_two_images_a_text() -> None:
    model = insert(load_model("vilt-tiny", "reasoning", num_labels=2, num_images=2, modality_type_vocab_size=3))
    model.eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
    side = model.config.image_size
    batch = {
        "input_ids": torch.randint(5, 100, (2, 6), generator=torch.Generator().manual_seed(1)),
        "pixel_values": torch.randn(2, 2, 3, side, side, generator=torch.Generator().manual_seed(2)),
        "labels": torch.tensor([0, 1]),
    }
    names = list(blocks_of(model))
    check_same(model, [*combinations(names, 1)], batch)


def test_an_encoder_below_the_blocks_runs_once() -> None:
    model, calls = make("meter", SkipConfig()), []
    model.meter.roberta.encoder.layer[0].register_forward_hook(lambda *_: calls.append(1))
    batch = make_batch()
    list(evaluate_each(model, [["text.0"], ["image.0"], ["text.1"]], lambda: model(**batch)))
    assert len(calls) == 1
