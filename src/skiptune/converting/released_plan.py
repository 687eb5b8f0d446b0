"""Which blocks a checkpoint of the released DAS code skips."""

from __future__ import annotations

from torch import Tensor, argsort
from transformers import PreTrainedModel

from ..core.errors import InputError
from ..core.validation import is_number, shortened
from ..families.registry import family_of
from ..inserting.selection import blocks_of
from ..models.weight_files import dense_problem_of
from ..plan import Plan
from .build import released_blocks
from .checkpoint_file import Checkpoint

#: Digits that the number of a block may have.
_DIGITS = 6


def released_plan(model: PreTrainedModel, checkpoint: Checkpoint, skip: str | None = None) -> Plan:
    """Which blocks a checkpoint of the released code skips.

    Its final training takes a list, ``skip_module``, which the user copied from the search. Its search stores
    preferences and the number of blocks to skip in the model, ``das_gate`` and ``skip_num``.

    Args:
        model: with the checkpoint's adapters.
        checkpoint: as read.
        skip: the blocks instead, by name or by the released code's numbers, comma-separated; ``none`` for none.

    Raises:
        InputError: the checkpoint does not say, preferences are not distinct, or unknown blocks.
    """
    family, blocks = family_of(model).name, tuple(blocks_of(model))
    gate, number = checkpoint.state.get("das_gate"), checkpoint.state.get("skip_num")
    listed = checkpoint.settings.get("skip_module")
    if skip is not None:
        return Plan(family, blocks, _named_blocks(model, skip), source="given")
    if listed:
        if not isinstance(listed, list) or not all(is_number(entry, 0, whole=True) for entry in listed):
            raise InputError(f"skip_module in its settings: {listed!r} is no list of numbers; name blocks with --skip")
        source = "skip_module in the checkpoint's settings"
        return Plan(family, blocks, released_blocks(model, listed), source=source)
    if gate is None or number is None:
        raise InputError("it does not say which blocks are skipped; name them with --skip, or --skip none")
    for name, value in (("das_gate", gate), ("skip_num", number)):
        if problem := dense_problem_of(value):
            raise InputError(f"{name}: {problem}")
    if gate.numel() != len(blocks) or number.numel() != 1:
        raise InputError(f"das_gate, skip_num: {gate.numel()} and {number.numel()} numbers for {len(blocks)} blocks")
    if not float(number).is_integer():
        raise InputError(f"skip_num: {float(number)} is not a whole number; name the blocks with --skip")
    count = int(number)
    return Plan(
        family=family,
        blocks=blocks,
        skipped=tuple(blocks[block] for block in _highest(gate.flatten().float(), count)),
        strategy="policy",
        preferences=dict(zip(blocks, gate.flatten().tolist(), strict=True)),
        source=f"the {count} highest of das_gate",
    )


def _highest(gate: Tensor, count: int) -> list[int]:
    """The ``count`` highest preferences, if they are distinct from the others."""
    order = argsort(gate, descending=True, stable=True).tolist()
    if not 0 <= count < len(order) or not bool(gate.isfinite().all()):
        raise InputError(f"das_gate, skip_num: {count} of {gate.tolist()} is not possible; name the blocks with --skip")
    if count and gate[order[count - 1]] == gate[order[count]]:
        raise InputError(f"das_gate: the {count} highest of {gate.tolist()} are not clear; name the blocks with --skip")
    return order[:count]


def _named_blocks(model: PreTrainedModel, text: str) -> tuple[str, ...]:
    """``2,8`` or ``text.2,image.2``; ``none`` for none. Unknown names are refused by the plan."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if names == ["none"]:
        return ()
    if not names:
        raise InputError("skip: no block is named; --skip none keeps all of them")
    if long := [name for name in names if name.isdecimal() and len(name) > _DIGITS]:
        raise InputError(f"skip: {shortened(long[0])} is the number of no block")
    return tuple(released_blocks(model, [int(name)])[0] if name.isdecimal() else name for name in names)
