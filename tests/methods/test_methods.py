"""Ways to tune: what each trains, that none changes the model it starts from, and what is left of it at inference."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from skiptune.config import SkipConfig
from skiptune.core.errors import InputError
from skiptune.costs.macs import count_macs
from skiptune.families.registry import family_of
from skiptune.inserting.insert import insert
from skiptune.inserting.parameter_groups import parameter_groups
from skiptune.inserting.selection import blocks_of, choose
from skiptune.layers.adapters import Prompts
from skiptune.methods.compare_config import ALONE, TOKEN_METHODS, USUAL, CompareConfig
from skiptune.methods.method import NO_ADAPTERS, Setup, nothing_skipped
from skiptune.methods.registry import METHODS
from skiptune.plan import Plan
from tiny_decoders import text_decoder
from two_streams import Batch, make, make_batch

FAMILIES = ("vilt", "meter", "bridgetower")
SETUP = Setup(SkipConfig(), prompt_length=3)
PROMPTS = ("shallow-prompts", "deep-prompts")


def usable(family: str) -> list[str]:
    own = [name for name in METHODS if name not in (*ALONE, *TOKEN_METHODS)]  # those tune as others
    return [name for name in own if METHODS[name].refusal(family_of(make(family))) is None]


CASES = [(family, name) for family in FAMILIES for name in usable(family)]


def batch_for(family: str) -> Batch:
    return make_batch()


def prepared(family: str, name: str) -> nn.Module:
    return METHODS[name].prepare(make(family), SETUP).eval()


def trained_in(model: nn.Module) -> set[str]:
    groups = parameter_groups(model)
    return {group for group, found in groups.items() if any(p.requires_grad for p in found.values())}


@torch.no_grad()
def move(model: nn.Module, size: float = 0.05) -> None:
    """What training does: every trainable parameter moves."""
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter += size * torch.randn(parameter.shape, generator=generator)


@torch.no_grad()
def logits(model: nn.Module, family: str) -> torch.Tensor:
    found: torch.Tensor = model.eval()(**batch_for(family)).logits
    return found


@pytest.mark.parametrize(("family", "name"), CASES)
def test_a_prepared_model_starts_as_the_pretrained_one(family: str, name: str) -> None:
    original = insert(make(family), NO_ADAPTERS)
    same = torch.allclose(logits(prepared(family, name), family), logits(original, family), atol=1e-5)
    assert same != (name in PROMPTS)


@pytest.mark.parametrize(("family", "name"), [case for case in CASES if METHODS[case[1]].trains])
def test_everything_that_is_trained_gets_a_gradient_and_all_else_none(family: str, name: str) -> None:
    method, model = METHODS[name], prepared(family, name)
    choose(model, ())
    move(model)  # away from the zeros that adapters start with
    model(**batch_for(family)).loss.backward()
    lacking = {
        key
        for key, parameter in model.named_parameters()
        if parameter.requires_grad and parameter.grad is None and "skip_adapter" not in key
    }
    # what no output depends on: the embedding of a second image, ends of streams that no head reads
    assert len(lacking) < 0.2 * sum(p.requires_grad for p in model.parameters()), sorted(lacking)
    assert all(p.grad is None for p in model.parameters() if not p.requires_grad)
    wanted = {"head", *method.own} | (set() if name == "head" else {"small_parts"})
    assert trained_in(model) == wanted


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_is_trained_in_a_model_that_is_not(family: str) -> None:
    model = prepared(family, "zero-shot")
    assert trained_in(model) == set()
    torch.testing.assert_close(logits(model, family), logits(make(family).eval(), family))


@pytest.mark.parametrize(("family", "name"), CASES)
def test_the_form_for_inference_gives_what_the_trained_model_gives(family: str, name: str) -> None:
    method, model = METHODS[name], prepared(family, name)
    names = tuple(blocks_of(model))
    plan = Plan(family_of(model).name, names, names[1:2] if method.skips else ())
    choose(model, plan.skipped)
    move(model)
    before = logits(model, family)
    slim = method.slim(model, plan)
    torch.testing.assert_close(logits(slim, family), before, atol=2e-5, rtol=1e-4)
    plain = insert(make(family), NO_ADAPTERS)
    if method.form == "plain":
        assert {k: p.shape for k, p in slim.named_parameters()} == {k: p.shape for k, p in plain.named_parameters()}
        assert count_macs(slim, batch_for(family)) == count_macs(plain, batch_for(family))
    elif not method.skips:
        assert count_macs(slim, batch_for(family)) > count_macs(plain, batch_for(family))


@pytest.mark.parametrize("name", ["lora", "ia3", *PROMPTS, "parallel", "adapters", "das-lora"])
def test_weights_depend_on_the_seed_alone(name: str) -> None:
    torch.manual_seed(5)
    one = prepared("vilt", name).state_dict()
    torch.manual_seed(6)
    two = prepared("vilt", name).state_dict()
    assert all(torch.equal(one[key], two[key]) for key in one)
    other = METHODS[name].prepare(make("vilt"), Setup(SkipConfig(), 3, seed=1)).state_dict()
    assert name == "ia3" or not all(torch.equal(one[key], other[key]) for key in one)


def test_prompts_are_as_whole_tokens_in_every_block() -> None:
    """Keys and values alone give what tokens would that are put behind the stream, run through and dropped."""
    model = prepared("vilt", "deep-prompts")
    block = blocks_of(model)["1"]
    x, mask = torch.randn(2, 5, 32), torch.zeros(2, 1, 1, 5)
    mask[1, ..., 3:] = torch.finfo(torch.float32).min
    with torch.no_grad():
        (found,) = block(x, mask)
        prompts, block.prompts = block.prompts, None
        assert isinstance(prompts, Prompts)
        (whole,) = block(*prompts.behind(x, mask))
    torch.testing.assert_close(found, whole[:, :5], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("family", ["vilt", "meter"])
def test_padding_stays_unseen_with_prompts(family: str) -> None:
    for name in PROMPTS:
        model, batch = prepared(family, name), batch_for(family)
        other = copy.deepcopy(batch)
        other["input_ids"][other["attention_mask"] == 0] = 7
        with torch.no_grad():
            torch.testing.assert_close(model(**batch).logits, model(**other).logits)


def test_parallel_adapters_have_the_size_of_the_block_adapters_unless_told() -> None:
    whole, parallel = prepared("vilt", "adapters"), prepared("vilt", "parallel")
    widths = [adapter.down.out_features for adapter in blocks_of(whole)["0"].block_adapters or ()]
    beside = blocks_of(parallel)["0"].parallel_adapter
    assert beside is not None
    assert beside.down.out_features == sum(widths) == 8
    wide = METHODS["parallel"].prepare(make("vilt"), Setup(SkipConfig(), parallel_width=7, parallel_scale=2.0))
    adapter = blocks_of(wide)["0"].parallel_adapter
    assert adapter is not None
    assert (adapter.down.out_features, adapter.scale) == (7, 2.0)


def test_bitfit_trains_biases_and_nothing_else_of_the_body() -> None:
    for family in FAMILIES:
        groups = parameter_groups(prepared(family, "bitfit"))
        trained = {name for name, parameter in groups["body"].items() if parameter.requires_grad}
        assert trained == {name for name in groups["body"] if name.endswith("bias")}
        assert trained


def test_what_cannot_be_used_says_why() -> None:
    reason = METHODS["shallow-prompts"].refusal(family_of(make("bridgetower")))
    assert reason is not None
    assert "bridgetower" in reason
    with pytest.raises(InputError, match="shallow-prompts: no token can be added to the streams of bridgetower"):
        prepared("bridgetower", "shallow-prompts")
    assert [name for _, name in CASES if name == "shallow-prompts"] == ["shallow-prompts"] * 2


def test_learning_rates_are_the_methods_own_for_its_own_parts() -> None:
    recipe = {"head": 10.0, "body": 0.25}
    assert METHODS["full"].learning_rate_factors(recipe) == {"head": 10.0, "body": 0.1, "small_parts": 0.1}
    assert METHODS["lora"].learning_rate_factors(recipe) == recipe
    assert METHODS["lora"].learning_rate_factors(recipe, 2.0) == {**recipe, "block_adapters": 2.0}
    assert METHODS["head"].learning_rate_factors(recipe, 3.0)["head"] == 3.0


def test_nothing_skipped_keeps_all() -> None:
    assert nothing_skipped(prepared("meter", "adapters")).skipped == ()


def test_mistakes_in_a_comparison_are_all_named() -> None:
    with pytest.raises(InputError) as caught:
        CompareConfig(
            methods=("lroa",),
            seeds=(),
            sweep_seeds=(1, 1),
            levels=(0.5, 2),
            learning_rate_factors={"fulll": 1},
            prompt_length=0,
            parallel_width=0,
            parallel_scale=-1,
        )
    for text in ("did you mean 'lora'", "seeds: ()", "sweep_seeds", "levels: 0.5", "fulll", "prompt_length", "width"):
        assert text in str(caught.value), text
    assert CompareConfig().methods == USUAL


@pytest.mark.parametrize(
    ("name", "method", "why"),
    [
        ("llama", "head", "no head"),
        ("llama", "bitfit", "no biases"),
        ("qwen2", "bitfit", None),
        ("llama", "full", None),
    ],
)
def test_methods_that_would_train_nothing_cannot_be_used(name: str, method: str, why: str | None) -> None:
    found = METHODS[method].unusable(text_decoder(name))
    assert found is None if why is None else why in str(found)
