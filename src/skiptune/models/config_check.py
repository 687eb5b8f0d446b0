"""Check a model's ``config.json`` before transformers builds from it: it takes any number, however large."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..core.errors import InputError, first_line
from ..core.validation import Problems, is_number, shortened

#: Largest value of whole numbers of at least 1, by field. Published models stay far below.
_COUNTS = {
    "hidden_size": 2**16,
    "intermediate_size": 2**20,
    "out_hidden_size": 2**16,
    "embed_dim": 2**16,
    "num_hidden_layers": 1_000,
    "depth": 1_000,
    "num_top_layers": 1_000,
    "num_attention_heads": 2**12,
    "num_key_value_heads": 2**12,
    "num_heads": 2**12,
    "head_dim": 2**12,
    "vocab_size": 10**7,
    "max_position_embeddings": 10**7,
    "num_position_embeddings": 10**6,
    "max_text_length": 10**6,
    "type_vocab_size": 10**4,
    "modality_type_vocab_size": 10**4,
    "num_labels": 10**6,
    "image_size": 2**14,
    "patch_size": 2**12,
    "temporal_patch_size": 2**6,
    "spatial_merge_size": 2**6,
    "num_channels": 2**6,
    "in_channels": 2**6,
    "projection_dim": 2**16,
    "projection_size": 2**16,
}
#: Numbers with their lowest and highest value.
_RANGES = {
    "layer_norm_eps": (0.0, 1.0),
    "initializer_range": (0.0, 100.0),
    "initializer_factor": (0.0, 100.0),
    "hidden_dropout_prob": (0.0, 1.0),
    "attention_probs_dropout_prob": (0.0, 1.0),
    "attention_dropout": (0.0, 1.0),
}
#: Those that may also be two numbers, of height and width.
_SIDES = ("image_size", "patch_size")
#: Those that may be left open.
_OPEN = ("num_key_value_heads", "head_dim")
_FLAGS = ("matching_loss", "qkv_bias")
_PARTS = ("text_config", "vision_config")
#: Fields with which transformers reads other files than those of the directory, or changes its own code.
_FOREIGN = ("quantization_config", "transformers_weights", "fusion_config", "distributed_config")
#: Parameters of the layers' weights and of the embedding of words together; the largest published have a fourth of it.
_MOST_PARAMETERS = 4 * 10**11


def refuse_odd_config(values: object, subject: str) -> None:
    """Refuse a configuration that no model can be built from, or only one that fills the memory.

    Args:
        values: the content of ``config.json``.
        subject: what messages begin with.

    Raises:
        InputError: names every field with its value.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{subject}: expected a mapping of fields; found a {type(values).__name__}")
    problems = Problems(f"{subject} describes no model")
    for name in _FOREIGN:
        problems.check(values.get(name) is None, f"{name}: not supported; use a model without it")
    for path, part in _parts(values):
        _check_part(problems, path, part)
    labels = values.get("id2label")
    named = labels is None or (isinstance(labels, Mapping) and all(str(number).isdecimal() for number in labels))
    problems.check(named, f"id2label: {shortened(repr(labels))} is not a mapping from numbers to names")
    problems.raise_any()


def config_from_fields(fields: Mapping[str, Any], config_class: type[Any], subject: str) -> Any:
    """The configuration of the fields in ``base_config`` of a directory that SkipTune wrote.

    Raises:
        InputError: no configuration can be made of them.
    """
    refuse_odd_config(fields, subject)
    try:
        return config_class(**{name: value for name, value in fields.items() if name != "model_type"})
    except Exception as error:  # an edited configuration can raise anything
        raise InputError(f"no model can be built from base_config: {first_line(error)}; edited?") from None


def _parts(values: Mapping[str, object]) -> Iterator[tuple[str, Mapping[str, object]]]:
    yield "", values
    for name in _PARTS:
        part = values.get(name)
        if isinstance(part, Mapping):
            yield f"{name}.", part
        elif part is not None:
            yield "", {name: part}


def _check_part(problems: Problems, path: str, part: Mapping[str, object]) -> None:
    """Check the fields of a configuration, or of an encoder's in it."""
    for name, value in part.items():
        if name in _COUNTS:
            good, what = _is_count(name, value), f"a whole number in [1, {_COUNTS[name]:,}]"
        elif name in _RANGES:
            low, high = _RANGES[name]
            good, what = is_number(value, low, high), f"a number in [{low:g}, {high:g}]"
        elif name in _PARTS:
            good, what = isinstance(value, Mapping), "a mapping"
        elif name == "max_image_length":
            good, what = value == -1 or is_number(value, 1, 10**6, whole=True), "-1 or a whole number of at least 1"
        elif name in _FLAGS:
            good, what = isinstance(value, bool), "true or false"
        elif name == "remove_last_layer":
            good, what = value is False, "false, which is all that is supported"
        else:
            continue
        problems.check(good, f"{path}{name}: {shortened(repr(value))} is not {what}")
    if not problems.found:
        width, wide = (_number(part, name) for name in ("hidden_size", "intermediate_size"))
        layer, words = width * (4 * width + 2 * wide), width * _number(part, "vocab_size")
        layers = max(_number(part, name) for name in ("num_hidden_layers", "num_top_layers", "depth"))
        whole = layer * layers + words
        problems.check(
            whole <= _MOST_PARAMETERS, f"{path}hidden_size: {width}; a model of its sizes has {whole:,} parameters"
        )


def _is_count(name: str, value: object) -> bool:
    if name in _OPEN and value is None:
        return True
    sides = value if name in _SIDES and isinstance(value, list | tuple) and len(value) == 2 else [value]
    return all(is_number(side, 1, _COUNTS[name], whole=True) for side in sides)


def _number(part: Mapping[str, object], name: str) -> int:
    value = part.get(name)
    return value if isinstance(value, int) else 1
