"""What a recipe says of the comparison of methods."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..config import Config, SkipConfig
from ..core.validation import Problems, is_number, nearest
from .method import Setup
from .registry import METHODS, USUAL


@dataclass(frozen=True)
class CompareConfig(Config):
    """A comparison of methods, ``compare:`` in a recipe.

    Learning rates: every method has the recipe's, ``head`` factor included, but for full tuning (a tenth of it, head
    aside) and (IA)³'s scales (three times). Change them by method in ``learning_rate_factors``.

    Attributes:
        methods: their names.
        seeds: one training each, for every method and the recipe's own budget.
        sweep_seeds: the same for the other budgets of ``levels``.
        levels: further budgets for searched and random plans: numbers of blocks, or relative multiply-accumulates as in
            ``-0.25``; ``None``: 1 to 6 blocks where the recipe's budget is a number of blocks, else none.
        learning_rate_factors: method → factor of the recipe's learning rate for what the method trains, head aside
            (``head``: its head).
        prompt_length, parallel_width, parallel_scale: see :class:`skiptune.methods.method.Setup`.
    """

    methods: tuple[str, ...] = USUAL
    seeds: tuple[int, ...] = (0, 1, 2)
    sweep_seeds: tuple[int, ...] = (0,)
    levels: tuple[float, ...] | None = None
    learning_rate_factors: dict[str, float] = field(default_factory=dict)
    prompt_length: int = 16
    parallel_width: int | None = None
    parallel_scale: float = 4.0

    def validate(self, problems: Problems) -> None:
        if _is_list(problems, "methods", self.methods, least=1):
            for name in self.methods:
                problems.check(name in METHODS, f"methods: {name!r}{nearest(str(name), METHODS)}")
            problems.check(len(set(map(str, self.methods))) == len(self.methods), "methods: one is named twice")
        for name in ("seeds", "sweep_seeds"):
            seeds = getattr(self, name)
            if _is_list(problems, name, seeds, least=int(name == "seeds")):
                good = all(is_number(seed, 0, 2**31 - 1, whole=True) for seed in seeds) and len(set(seeds)) == len(
                    seeds
                )
                problems.check(good, f"{name}: {seeds!r} are not different whole numbers ≥ 0")
        if self.levels is not None and _is_list(problems, "levels", self.levels):
            for level in self.levels:
                good = is_number(level, 1, whole=True) or (is_number(level, -1, 0) and -1 < level < 0)
                problems.check(good, f"levels: {level!r} is neither a number of blocks nor between -1 and 0")
        factors = self.learning_rate_factors
        if isinstance(factors, dict):
            for name, factor in factors.items():
                known = f"learning_rate_factors.{name}: unknown method{nearest(str(name), METHODS)}"
                problems.check(name in METHODS, known)
                problems.check(is_number(factor, 0), f"learning_rate_factors.{name}: {factor!r} is not a number ≥ 0")
        else:
            problems.add(f"learning_rate_factors: {factors!r} is not a mapping")
        width = self.parallel_width
        whole = "is not a whole number in [1, 65536]"
        problems.check(
            is_number(self.prompt_length, 1, 65536, whole=True), f"prompt_length: {self.prompt_length!r} {whole}"
        )
        problems.check(width is None or is_number(width, 1, 65536, whole=True), f"parallel_width: {width!r} {whole}")
        problems.check(
            is_number(self.parallel_scale, 0), f"parallel_scale: {self.parallel_scale!r} is not a number ≥ 0"
        )

    def setup(self, adapters: SkipConfig, seed: int) -> Setup:
        """What :meth:`Method.prepare` takes."""
        return Setup(adapters, self.prompt_length, self.parallel_width, self.parallel_scale, seed)


def _is_list(problems: Problems, name: str, value: object, least: int = 0) -> bool:
    good = isinstance(value, list | tuple) and len(value) >= least
    problems.check(good, f"{name}: {value!r} is not a list" + " with an entry" * least)
    return good
