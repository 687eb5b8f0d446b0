"""Costs of a plan: operations and parameters of the original, the adapted and the slim model."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from ..config import SkipConfig
from ..families.registry import family_of
from ..inserting.folding import drop_folded
from ..inserting.insert import insert
from ..inserting.lora import unwrap_lora
from ..inserting.pruning import remove_dead_blocks
from ..inserting.selection import blocks_of
from ..models.shared_copy import shared_copy
from ..plan import Plan, TokenSchedule, check_skipped
from .block_costs import BlockCosts
from .example_inputs import example_inputs
from .generation import check_decode_steps, generates
from .generation_table import GenerationTable, generation_table
from .macs import count_passes
from .parameters import count_parameters
from .shapes_only import ShapesOnly


@dataclass(frozen=True)
class CostTable:
    """Operations and parameters, for one image size and text length.

    Operations are those of one forward pass. Of a model that generates text, they are those of the prefill, the pass
    over the prompt, and ``generation.decode_steps`` after it.

    Attributes:
        macs_g: multiply-accumulates in G (1e9): ``original``, ``with_adapters`` (nothing skipped, all image tokens) and
            ``with_plan``. LoRA is merged at inference, and skip adapters folded, so they add nothing.
        saved_macs_g: the saving of each block, with as many image tokens as the plan lets it have.
        relative_macs: change of the operations by the plan, against the original.
        parameters: by group, of the model as it is trained, with adapters for every choice of blocks.
        parameters_with_plan: of the slim model.
        trained_with_plan: parameters that training with the plan changes.
        image_size: height and width in pixels; zeros for a model without images.
        text_length: in tokens; those of an image come on top.
        adapters: the adapters in every block, see :class:`skiptune.SkipConfig`.
        generation: prefill and decode step apart, and the cache, of a model that generates text; ``None`` for others.
        tokens: where image tokens become fewer; ``None``: nowhere.
    """

    macs_g: dict[str, float]
    saved_macs_g: dict[str, float]
    relative_macs: float
    parameters: dict[str, int]
    parameters_with_plan: int
    trained_with_plan: int
    image_size: tuple[int, int]
    text_length: int
    skipped: tuple[str, ...]
    blocks: tuple[str, ...]
    adapters: str
    generation: GenerationTable | None = None
    tokens: TokenSchedule | None = None


def cost_table(
    model: nn.Module,
    config: SkipConfig,
    skipped: tuple[str, ...],
    image_size: tuple[int, int],
    text_length: int,
    decode_steps: int = 0,
    tokens: TokenSchedule | None = None,
) -> CostTable:
    """Cost of a model without adapters: as it is, with adapters and nothing skipped, and with the plan.

    Nothing is computed but shapes, so the parameters may be on the meta device. ``model`` is not changed.

    Args:
        model: as it was loaded.
        config: of the adapters.
        skipped: names of blocks.
        image_size: (height, width) in pixels.
        text_length: tokens of text; those of an image come on top, where the text has them.
        decode_steps: after the prefill, of a model that generates text.
        tokens: where image tokens become fewer.

    Raises:
        InputError: unknown blocks, all blocks at once, a token schedule that is not for the model, sizes that the model
            does not take, or decode steps of a model that generates no text.
    """
    check_decode_steps(model, decode_steps)
    family = family_of(model)
    with ShapesOnly():
        inputs = example_inputs(model, image_size, text_length)
    adapted = insert(shared_copy(model), config)
    blocks = tuple(blocks_of(adapted))
    check_skipped(skipped, blocks)
    slim = remove_dead_blocks(shared_copy(adapted), Plan(family.name, blocks, skipped, tokens=tokens))

    def counted(schedule: TokenSchedule | None) -> tuple[list[BlockCosts], BlockCosts]:
        passes = count_passes(adapted, inputs, generates(model), schedule)
        return passes, passes[0] if len(passes) == 1 else passes[0].followed_by(passes[1], decode_steps)

    passes, costs = counted(tokens)
    adapters = costs if tokens is None else counted(None)[1]
    trained = count_parameters(slim)["trainable"]
    drop_folded(unwrap_lora(slim))
    with_plan = costs.with_skipped(skipped)
    total = sum(parameter.numel() for parameter in model.parameters())
    original = shared_copy(model).eval()
    return CostTable(
        macs_g={"original": costs.original, "with_adapters": adapters.adapted, "with_plan": with_plan},
        saved_macs_g=costs.savings,
        relative_macs=with_plan / costs.original - 1,
        parameters=count_parameters(adapted, total),
        parameters_with_plan=count_parameters(slim)["total"],
        trained_with_plan=trained,
        image_size=image_size,
        text_length=text_length,
        skipped=skipped,
        blocks=blocks,
        adapters=config.block_adapter,
        generation=generation_table(original, slim.eval(), passes, inputs, decode_steps) if passes[1:] else None,
        tokens=tokens,
    )
