"""A plan: which blocks of a model are skipped, and how they were chosen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationInfo, field_validator

from ..core.arguments import expect
from ..core.errors import InputError
from ..core.files import write_json
from ..core.text_files import read_json
from ..core.validated import Number, Several, Validated
from ..core.validation import Problems, is_number, nearest
from .search_report import Nested, SearchReport
from .token_schedule import TokenSchedule


@dataclass(frozen=True)
class Plan:
    """The blocks that are skipped, and how they were chosen.

    Attributes:
        family: model family, e.g. ``vilt``.
        blocks: names of all skippable blocks, in model order.
        skipped: names of the skipped ones, in model order.
        strategy: how they were chosen: a name of :mod:`skiptune.searching.strategies`, ``given`` or ``none``.
        preferences: the strategy's number for every block; higher means more skippable.
        report: how the search found it; ``None`` for a plan without a search.
        source: where a plan comes from that was read from another program's checkpoint.
        tokens: where image tokens become fewer; ``None``: nowhere.
    """

    family: str
    blocks: tuple[str, ...]
    skipped: tuple[str, ...]
    strategy: str = "given"
    preferences: dict[str, float] | None = None
    report: SearchReport | None = field(default=None, repr=False)
    source: str | None = None
    tokens: TokenSchedule | None = None

    def __post_init__(self) -> None:
        for name in ("blocks", "skipped"):
            if isinstance(getattr(self, name), str):
                raise InputError(f"plan: {name}: {getattr(self, name)!r} is a text; expected names of blocks")
        object.__setattr__(self, "blocks", tuple(self.blocks))
        check_skipped(self.skipped, self.blocks)
        object.__setattr__(self, "skipped", tuple(name for name in self.blocks if name in self.skipped))
        expect("Plan", tokens=(self.tokens, (TokenSchedule, type(None))))
        if self.tokens is not None:
            object.__setattr__(self, "tokens", self.tokens.in_order_of(self.blocks))

    @property
    def steps(self) -> int:
        """Optimizer steps that the search for it trained."""
        return 0 if self.report is None else self.report.steps

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of the blocks that are not skipped, in model order."""
        return tuple(name for name in self.blocks if name not in self.skipped)

    @property
    def nested(self) -> Nested | None:
        """The order of the skipped blocks, and what skipping fewer of them loses; ``None``: it was not trained so."""
        return None if self.report is None else self.report.nested

    def first(self, count: int) -> Plan:
        """The plan that skips the first ``count`` blocks of a nested one, from 0 to all.

        Raises:
            InputError: the training was not for fewer blocks (``search.nested``), or there are not so many.
        """
        expect("Plan.first", count=(count, int))
        if self.nested is None:
            raise InputError(f"skip count {count}: the training was not for fewer blocks; it needs search.nested: true")
        order = self.nested.order
        if not 0 <= count <= len(order):
            raise InputError(f"skip count {count}: not in [0, {len(order)}], the blocks that the plan skips")
        return replace(self, skipped=order[:count])

    def __str__(self) -> str:
        lines = [
            f"{self.family}: {len(self.skipped)} of {len(self.blocks)} blocks skipped, strategy {self.strategy}",
            f"skipped:   {', '.join(self.skipped) or 'none'}",
            f"kept:      {', '.join(self.kept)}",
        ]
        if self.tokens is not None:
            lines.append(f"tokens:    {self.tokens}")
        return "\n".join(lines if self.report is None else [*lines, str(self.report)])

    def random(self, seed: int) -> tuple[str, ...]:
        """As many blocks as are skipped here, drawn at random of those that a search may skip, in model order."""
        protected = (self.report and self.report.protected) or {}
        free = [name for name in self.blocks if name not in protected or name in self.skipped]
        chosen = np.random.default_rng((seed, 1)).choice(len(free), size=len(self.skipped), replace=False)
        return tuple(free[block] for block in sorted(chosen))

    def save(self, path: str | Path) -> None:
        """Write JSON, whole or not at all."""
        write_json(Path(path), self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """As in ``plan.json``, where the report is ``details``."""
        details = {} if self.report is None else self.report.to_dict()
        if self.source is not None:
            details["source"] = self.source
        return {
            "family": self.family,
            "blocks": list(self.blocks),
            "skipped": list(self.skipped),
            "strategy": self.strategy,
            "preferences": self.preferences,
            **({} if self.tokens is None else {"tokens": self.tokens.to_dict()}),
            "details": details,
        }

    @classmethod
    def load(cls, path: str | Path) -> Plan:
        """Read what :meth:`save` wrote.

        Raises:
            InputError: missing, truncated or edited file.
        """
        return cls.from_dict(read_json(Path(path)), source=str(path))

    @classmethod
    def from_dict(cls, values: Any, source: str = "plan") -> Plan:
        """Make one from the dictionary of :meth:`save`.

        Raises:
            InputError: unknown or missing fields, or values that are not valid; all problems in one message.
        """
        file = _PlanFile.from_dict(values, f"{source} is not a plan")
        details = dict(file.details)
        origin = details.pop("source", None)
        report = SearchReport.from_dict(details, f"{source} is not a plan: details") if details else None
        program = None if origin is None else str(origin)
        return cls(
            file.family, file.blocks, file.skipped, file.strategy, file.preferences, report, program, file.tokens
        )


class _PlanFile(Validated):
    """What ``plan.json`` holds."""

    family: str
    blocks: Several[str]
    skipped: Several[str]
    strategy: str
    preferences: dict[str, Number] | None = None
    tokens: TokenSchedule | None = None
    details: dict[str, object]

    @field_validator("preferences", mode="before")
    @classmethod
    def _for_every_block(cls, given: object, info: ValidationInfo) -> object:
        if isinstance(given, dict):
            every = tuple(given) == info.data.get("blocks", tuple(given))
            if not (every and all(is_number(value, -1e9) for value in given.values())):
                raise ValueError(f"{given!r} does not give every block a number")
        return given


def check_skipped(skipped: tuple[str, ...] | list[str], blocks: tuple[str, ...]) -> None:
    """Refuse unknown or repeated block names, and a plan that keeps no block.

    Raises:
        InputError: all problems in one message.
    """
    problems = Problems("the skipped blocks are not valid")
    for name in skipped:
        problems.check(name in blocks, f"{name!r}: no such block{nearest(name, blocks)}")
    problems.check(len(set(skipped)) == len(skipped), f"{', '.join(map(str, skipped))}: a block is named twice")
    problems.check(
        len(skipped) < len(blocks), f"{len(skipped)} skipped: fewer than the {len(blocks)} blocks must be named"
    )
    problems.raise_any()
