"""Costs of a plan for a model that generates text: prefill, a decode step, and the cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from ..inserting.selection import blocks_of, chosen_tokens
from .block_costs import BlockCosts
from .example_inputs import Inputs
from .model_parts import count_parts

#: Bytes of a number in a cache, by dtype.
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class PassTable:
    """Operations of one pass.

    Attributes:
        macs_g: multiply-accumulates in G (1e9): ``original``, ``with_adapters`` (nothing skipped) and ``with_plan``.
        relative_macs: change by the plan, against the original.
        decoder_relative_macs: the same of the decoder alone, without tower, projector and head.
        saved_macs_g: the saving of each block.
        parts_g: of the original model's ``tower``, ``projector``, ``decoder`` and ``head``; a language model by itself
            has zeros for the first two.
        parts_with_plan_g: of the slim model's.
    """

    macs_g: dict[str, float]
    relative_macs: float
    decoder_relative_macs: float
    saved_macs_g: dict[str, float]
    parts_g: dict[str, float]
    parts_with_plan_g: dict[str, float]


@dataclass(frozen=True)
class GenerationTable:
    """Costs of a model that generates text, for one prompt.

    Attributes:
        prompt_length: tokens of the prompt, those of its image included.
        decode_steps: steps of one token each that the costs outside this table count, after the prefill.
        prefill: the pass over the prompt. Its head gives the logits of the last position.
        decode_step: the first pass after it, when the cache holds the prompt.
        cache_bytes_per_token: dtype → bytes by which the cache of all layers grows with a token: of the ``original``
            model; of our own ``slim`` form, where a skipped layer still books its tokens with one number; and of the
            ``plain`` form, where it is gone (``None`` if there is none: with halves of layers or fewer image tokens).
            Layers with a sliding window stop growing once it is full.
        cache_bytes_of_prompt: dtype → bytes of the cache after the prefill, of the ``original`` and the ``slim`` model,
            whose cache holds fewer image tokens where these become fewer.
    """

    prompt_length: int
    decode_steps: int
    prefill: PassTable
    decode_step: PassTable
    cache_bytes_per_token: dict[str, dict[str, int | None]]
    cache_bytes_of_prompt: dict[str, dict[str, int]]


def generation_table(
    original: nn.Module, slim: nn.Module, costs: Sequence[BlockCosts], inputs: Inputs, decode_steps: int
) -> GenerationTable:
    """The table of a plan.

    Args:
        original: the model without adapters.
        slim: with the plan's blocks gone, and without LoRA.
        costs: of prefill and decode step, by block.
        inputs: of the prompt, one example.
        decode_steps: to state.
    """
    whole, left = count_parts(original, inputs), count_parts(slim, inputs)
    skipped = [name for name, block in blocks_of(slim).items() if block.removed]
    prefill, step = costs
    plain = not slim.skip_config.parts and chosen_tokens(slim) is None  # type: ignore[union-attr]
    return GenerationTable(
        prompt_length=inputs["input_ids"].shape[1],
        decode_steps=decode_steps,
        prefill=_pass_table(prefill, whole.prefill, left.prefill, skipped),
        decode_step=_pass_table(step, whole.step, left.step, skipped),
        cache_bytes_per_token=_cache_bytes(whole.grows, left.grows, plain),
        cache_bytes_of_prompt={
            dtype: {"original": size * whole.held, "slim": size * left.held} for dtype, size in _BYTES.items()
        },
    )


def _cache_bytes(numbers: Sequence[int], left: Sequence[int], plain: bool) -> dict[str, dict[str, int | None]]:
    """By dtype, from the numbers a token of each layer's entry, in the original and in the slim model.

    ``plain``: whether there is a plain form of the plan, without the entries that became smaller.
    """
    kept = sum(own for own, whole in zip(left, numbers, strict=True) if own == whole)
    return {
        dtype: {"original": size * sum(numbers), "slim": size * sum(left), "plain": size * kept if plain else None}
        for dtype, size in _BYTES.items()
    }


def _pass_table(
    costs: BlockCosts, parts: Mapping[str, float], parts_with_plan: Mapping[str, float], skipped: Sequence[str]
) -> PassTable:
    with_plan = costs.with_skipped(skipped)
    return PassTable(
        macs_g={"original": costs.original, "with_adapters": costs.adapted, "with_plan": with_plan},
        relative_macs=with_plan / costs.original - 1,
        decoder_relative_macs=parts_with_plan["decoder"] / parts["decoder"] - 1,
        saved_macs_g=costs.savings,
        parts_g=dict(parts),
        parts_with_plan_g=dict(parts_with_plan),
    )
