"""The section ``compare`` of a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, TypeVar, get_args

from pydantic import Field, field_validator

from ..config import SkipConfig, Width
from ..core.validated import NonNegative, Seed, Several, Validated

if TYPE_CHECKING:
    from .method import Setup

T = TypeVar("T")

#: The names in :data:`skiptune.methods.registry.METHODS`; recipes are checked without loading the methods.
MethodName = Literal[
    "zero-shot", "full", "head", "bitfit", "lora", "ia3", "shallow-prompts", "deep-prompts", "adapters", "parallel",
    "das-bottleneck", "das-lora", "random-bottleneck", "random-lora", "heuristic-bottleneck", "heuristic-lora",
    "blocks-lora", "tokens-lora", "uniform-lora",
    "tome", "tome-lora", "pumer", "fastv", "fastv-lora", "visionzip", "visionzip-lora",
]  # fmt: skip
METHOD_NAMES: tuple[MethodName, ...] = get_args(MethodName)
#: Methods that let fewer image tokens go on and skip no block, for few families and a budget of operations.
TOKEN_METHODS: tuple[MethodName, ...] = METHOD_NAMES[METHOD_NAMES.index("tome") :]
#: Searches that do not mix blocks and token schedules, of use beside one that does.
ALONE: tuple[MethodName, ...] = ("blocks-lora", "tokens-lora", "uniform-lora")
#: All that make sense for every task.
USUAL = tuple(name for name in METHOD_NAMES if name not in ("zero-shot", *ALONE, *TOKEN_METHODS))
_Blocks = Annotated[int, Field(ge=1)]
_Change = Annotated[float, Field(gt=-1, lt=0)]
Level = Annotated[_Blocks | _Change, Field(description="a number of blocks, nor between -1 and 0")]


class CompareConfig(Validated):
    """A comparison of methods, ``compare:`` in a recipe.

    Every method uses the recipe's learning rate and ``head`` factor, except full tuning (a tenth of it, without the
    head) and the scales of (IA)³ (three times). ``learning_rate_factors`` changes them by method.

    Attributes:
        methods: their names.
        seeds: one training per seed, for every method. Methods that skip get the recipe's own budget; with ``levels``
            it only if it is among them, else the first of them.
        sweep_seeds: the same for searched and random plans with the other budgets of ``levels``.
        levels: the budgets to compare, and no others: numbers of blocks, or relative multiply-accumulates as in
            ``-0.25``; ``None``: the recipe's own.
        learning_rate_factors: method → factor of the recipe's learning rate for the parts that the method trains,
            without the head (``head``: its head).
        prompt_length: number of learnt tokens at each place, for prompts.
        parallel_width: bottleneck of scaled parallel adapters; ``None``: as many parameters as the block adapters would
            have in a block.
        parallel_scale: factor of their output.
    """

    methods: Several[MethodName] = Field(default=USUAL, min_length=1)
    seeds: Several[Seed] = Field(default=(0, 1, 2), min_length=1)
    sweep_seeds: Several[Seed] = (0,)
    levels: Several[Level] | None = None
    learning_rate_factors: dict[MethodName, NonNegative] = Field(default={})
    prompt_length: Width = 16
    parallel_width: Width | None = None
    parallel_scale: NonNegative = 4.0

    @field_validator("methods", "seeds", "sweep_seeds")
    @classmethod
    def _different(cls, values: tuple[T, ...]) -> tuple[T, ...]:
        if len(set(values)) < len(values):
            raise ValueError(f"{', '.join(map(str, values))}: one is named twice")
        return values

    def setup(self, adapters: SkipConfig, seed: int) -> Setup:
        """The arguments of :meth:`Method.prepare`."""
        from .method import Setup

        return Setup(adapters, self.prompt_length, self.parallel_width, self.parallel_scale, seed)
