"""The fields of a configuration that speak of layers, after some of them have gone.

Which field speaks of layers in which way is known by its name. A field that looks so and is not known is refused: a
wrong guess would load, and compute something else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...core.errors import InputError
from ...core.shown import shown
from .stacks import Stack, count_field

#: One entry for every layer.
_EACH = ("layer_types", "mlp_layer_types", "no_rope_layers")
#: Numbers of layers that have a property.
_NUMBERS = ("fullatt_block_indexes", "cross_attention_layers")
#: Numbers of layers whose outputs are read elsewhere. That of a layer that is gone is the output of the one before it.
_OUTPUTS = ("deepstack_visual_indexes",)
#: Number of layers at the beginning, or at the end.
_FIRST, _LAST = ("max_window_layers",), ("num_kv_shared_layers",)
#: Made into a list of ``_EACH`` where there is none; not read any more once there is.
_PATTERNS = ("sliding_window_pattern", "_sliding_window_pattern", "no_rope_layer_interval", "full_attention_interval")
#: Of the whole model: number of the image tower's hidden state that is read, 0 before the first layer, -1 the last.
_IMAGE_STATES = ("vision_feature_layer",)
#: Lists and numbers that are not about layers, whatever their length or name.
_OTHERS = (
    "architectures", "bos_token_id", "eos_token_id", "pad_token_id", "image_size", "patch_size", "image_grid_pinpoints",
    "keys_to_ignore_at_inference", "image_mean", "image_std", "num_hidden_layers",
)  # fmt: skip
_LOOKS_SO = re.compile(r"(?:^|_)(?:layers?|blocks?|depth|pattern|interval)(?:_|$)")


def without_layers(config: Any, stacks: Sequence[Stack]) -> Any:
    """A configuration of the same class, of a model in which only the kept layers of ``stacks`` are left.

    Raises:
        InputError: a field cannot say what is left, or looks as if it were about layers and is not known.
    """
    fields = config.to_dict()
    for stack in stacks:
        if len(stack.kept) < stack.layers:
            part, kind = fields, config
            for name in stack.config:
                _refuse_unknown(part, stack, whole=True)
                part, kind = part[name], getattr(kind, name)
            _renumber(part, stack, count_field(kind))
            if stack.config == ("vision_config",):
                _renumber_states(fields, stack)
    return type(config).from_dict(fields)


def _renumber(fields: dict[str, Any], stack: Stack, count: str) -> None:
    """Renumber the fields of a stack's own part, in place; ``count`` is the one with the number of layers."""
    _refuse_unknown({name: value for name, value in fields.items() if name != count}, stack)
    known: list[tuple[Sequence[str], Callable[[str, Any, Stack], Any]]] = [
        (_EACH, _of_kept), (_NUMBERS, _numbers), (_OUTPUTS, _outputs), (_FIRST, _first), (_LAST, _last),
    ]  # fmt: skip
    for names, change in known:
        for name in names:
            if fields.get(name) is not None:
                fields[name] = change(name, fields[name], stack)
    fields[count] = len(stack.kept)
    for name in _PATTERNS:  # other programs may go by it
        fields.pop(name, None)


def _of_kept(name: str, value: Any, stack: Stack) -> list[Any]:
    if len(value) != stack.layers:
        raise InputError(f"form: 'plain': {name}: has {len(value)} entries for {stack.layers} layers")
    return [value[number] for number in stack.kept]


def _numbers(name: str, value: Any, stack: Stack) -> list[int]:
    return [stack.kept.index(number) for number in value if number in stack.kept]


def _outputs(name: str, value: Any, stack: Stack) -> list[int]:
    found = [stack.kept_before(number + 1) - 1 for number in value]
    if len(set(found)) < len(found) or -1 in found:
        raise InputError(
            f"form: 'plain': {name}: {shown(value)}: outputs of layers are read elsewhere, and of the kept layers "
            f"{', '.join(map(str, stack.kept))} no different one stands for each; keep more of these layers"
        )
    return found


def _first(name: str, value: int, stack: Stack) -> int:
    return stack.kept_before(value)


def _last(name: str, value: int, stack: Stack) -> int:
    return len(stack.kept) - stack.kept_before(stack.layers - value)


def _renumber_states(fields: dict[str, Any], stack: Stack) -> None:
    for name in _IMAGE_STATES:
        value = fields.get(name)
        if isinstance(value, Sequence):
            fields[name] = [_state(number, stack) for number in value]
        elif value is not None:
            fields[name] = _state(value, stack)


def _state(number: int, stack: Stack) -> int:
    """The same hidden state's number; counted from the end, if it was."""
    found = stack.kept_before(number + stack.layers + 1 if number < 0 else number)
    return found - len(stack.kept) - 1 if number < 0 else found


def _refuse_unknown(fields: Mapping[str, Any], stack: Stack, whole: bool = False) -> None:
    """Refuse fields that look as if they were about layers and are not known; ``whole``: of the whole model."""
    known: tuple[str, ...] = (*_EACH, *_NUMBERS, *_OUTPUTS, *_FIRST, *_LAST, *_OTHERS, *_IMAGE_STATES)
    if any(fields.get(name) for name in _EACH):
        known = (*known, *_PATTERNS)
    for name, value in fields.items():
        number = isinstance(value, int) and not isinstance(value, bool)
        several = isinstance(value, list | tuple | dict)
        long = isinstance(value, list | tuple) and len(value) == stack.layers and not whole
        looks_so = (number or several) and bool(_LOOKS_SO.search(name))
        if name not in known and value and (long or looks_so):
            raise InputError(
                f"form: 'plain': {name}: {shown(value)} looks as if it were about single layers, and how is not known; "
                "form: 'standalone' keeps it"
            )
