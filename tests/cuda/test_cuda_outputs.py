"""What a GPU computes is what the CPU computes."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from on_device import FAMILIES, adapted, batch_for, copied, fewer_tokens, logits, needs_cuda, there
from skiptune import blocks_of, choose
from skiptune.inserting.pruning import prune
from skiptune.plan import Plan
from skiptune.searching.prefix_sharing import evaluate_each

pytestmark = needs_cuda


@pytest.fixture(autouse=True)
def without_tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@pytest.mark.parametrize("fewer", [False, True], ids=["all tokens", "fewer tokens"])
@pytest.mark.parametrize("name", FAMILIES)
def test_skipping(name: str, fewer: bool) -> None:
    model = adapted(name)
    here, blocks = batch_for(name, model), tuple(blocks_of(model))
    schedule = fewer_tokens(model) if fewer else None
    if fewer and schedule is None:
        pytest.skip("the family reads no images")
    device = copied(model)
    for skipped in ((), blocks[:1], blocks[1::2]):
        for each in (model, device):
            choose(each, skipped, schedule)
        found = logits(device, there(here))
        assert found.is_cuda
        torch.testing.assert_close(found.cpu(), logits(model, here), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", FAMILIES)
def test_slim_in_bfloat16(name: str) -> None:
    model = adapted(name)
    here, blocks = batch_for(name, model), tuple(blocks_of(model))
    slim = prune(model, Plan(model.config.model_type, blocks, blocks[1::3]))
    expected = logits(slim, here)
    device = copied(slim).bfloat16()
    given = {key: value.bfloat16() if value.is_floating_point() else value for key, value in there(here).items()}
    found = logits(device, given).float().cpu()
    assert (found - expected).abs().max() < 0.1 * expected.abs().max()


@pytest.mark.parametrize("name", FAMILIES)
def test_prefix_sharing(name: str) -> None:
    model = copied(adapted(name))
    given, names, schedule = there(batch_for(name, model)), list(blocks_of(model)), fewer_tokens(model)
    sets = [names[:1], names[-1:], names[1:3], names[:1], [names[0], names[-1]]]
    schedules = [None, None, None, schedule, schedule]
    plain = []
    for skipped, tokens in zip(sets, schedules, strict=True):
        choose(model, skipped, tokens)
        plain.append(logits(model, given))
    seen = []
    for number, found in evaluate_each(model, sets, partial(logits, model, given), tokens=schedules):
        torch.testing.assert_close(found, plain[number], rtol=1e-5, atol=1e-5)
        seen.append(number)
    assert sorted(seen) == list(range(len(sets)))
