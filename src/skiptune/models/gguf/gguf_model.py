"""The model, configuration and tokenizer of a GGUF file, as transformers has them.

transformers reads a file's configuration and tokenizer. Its reader of weights leaves out tensors that it has no place
for, draws those that are missing, and gives a model that cannot be saved; so the weights are put in place here, by the
library's table of names, and every name must be known on both sides.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

from tokenizers import Tokenizer
from torch import Tensor
from transformers import AutoConfig, AutoTokenizer, GenerationConfig, PreTrainedModel, PreTrainedTokenizerFast

from ...core.errors import InputError, first_line
from ...core.state_dicts import add_misfit, shapes_of
from ...core.validation import Problems
from ...families.registry import family_of_type
from ..construction import construction, unsaid
from ..tied_weights import with_tied, without_tied
from ..without_weights import parameters_on_meta
from .gguf_file import GgufFile

#: From a tensor's name in the file, its values and the configuration to the model's values.
_Restore: TypeAlias = Callable[[str, Tensor, Any], Tensor]


def _as_it_is(name: str, values: Tensor, config: Any) -> Tensor:
    return values


def _llama(name: str, values: Tensor, config: Any) -> Tensor:
    """Queries and keys: the halves that rotate together are neighbours in the file."""
    heads = {".attn_q.": config.num_attention_heads, ".attn_k.": config.num_key_value_heads}
    count = next((count for part, count in heads.items() if part in name), None)
    if count is None:
        return values
    return values.reshape(count, len(values) // count // 2, 2, *values.shape[1:]).transpose(1, 2).reshape(values.shape)


def _gemma(name: str, values: Tensor, config: Any) -> Tensor:
    """Scales of norms are around one in the file, and around zero in transformers."""
    return values - 1 if "norm.weight" in name else values


_SPECIAL = ("bos_token", "eos_token", "unk_token", "pad_token")
#: The architectures that are read, and how their values are brought back.
_ARCHITECTURES: dict[str, _Restore] = {
    "llama": _llama,  # Mistral is one of these, too
    "qwen2": _as_it_is,
    "qwen3": _as_it_is,
    "gemma2": _gemma,
    "gemma3": _gemma,
}


def gguf_config(opened: GgufFile) -> Any:
    """The configuration of the model in a file.

    Raises:
        InputError: it is of no architecture that is known, or its description does not make a configuration.
    """
    if opened.architecture not in _ARCHITECTURES:
        known = ", ".join(_ARCHITECTURES)
        raise InputError(f"{opened.path}: a GGUF file of the architecture {opened.architecture!r}; known: {known}")
    config = _described(opened, AutoConfig)
    fields = config.to_dict()
    for name in ("_model_name_or_path", "quantization_config"):
        fields.pop(name, None)
    if (width := opened.value(f"{opened.architecture}.attention.key_length")) is not None and "head_dim" in fields:
        fields["head_dim"] = width  # transformers does not read it for all
    made = type(config).from_dict(fields)
    made.architectures = [family_of_type(made.model_type, str(opened.path)).model_class("generation").__name__]
    return made


def gguf_tokenizer(opened: GgufFile) -> Any:
    """The tokenizer in a file, with its chat template.

    Raises:
        InputError: there is none, or of no kind that transformers reads.
    """
    tokenizer = _described(opened, AutoTokenizer)
    field = opened.reader.get_field("tokenizer.ggml.tokens")
    backend = json.loads(tokenizer.backend_tokenizer.to_str())
    # GPT-2's own end of a text is added by transformers where a file has none
    backend["added_tokens"] = [token for token in backend["added_tokens"] if token["id"] < len(field.data)]
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(backend)),
        chat_template=tokenizer.chat_template,
        **{name: _known(getattr(tokenizer, name), tokenizer, len(field.data)) for name in _SPECIAL},
    )


def _known(token: str | None, tokenizer: Any, words: int) -> str | None:
    """A special token, if the file has it."""
    return token if token is not None and tokenizer.convert_tokens_to_ids(token) < words else None


def _described(opened: GgufFile, kind: Any) -> Any:
    path = opened.path
    try:
        with unsaid():
            return kind.from_pretrained(path.parent, gguf_file=path.name)
    except Exception as error:  # descriptions with gaps can raise anything
        what = "configuration" if kind is AutoConfig else "tokenizer"
        raise InputError(f"{path}: no {what} could be read from this GGUF file ({first_line(error)})") from None


def model_from_gguf(opened: GgufFile, config: Any) -> PreTrainedModel:
    """A model of transformers' own class with the weights of a file, in float32 and evaluation mode.

    Args:
        opened: the file.
        config: by :func:`gguf_config`.

    Raises:
        InputError: weights are missing, left over or of other sizes than the configuration says.
    """
    model_class: Any = family_of_type(config.model_type, str(opened.path)).model_class("generation")
    with construction(), parameters_on_meta():
        model: PreTrainedModel = model_class(config)
    own = without_tied(model, model.state_dict())
    names = _names_in_file(opened, own, config.num_hidden_layers)
    _check(opened, own, names)
    restore = _ARCHITECTURES[opened.architecture]
    places = {name: place for place, name in names.items()}
    state = {places[name]: restore(name, values, config) for name, values in opened.tensors() if name in places}
    model.load_state_dict(with_tied(model, state), strict=True, assign=True)
    with construction():
        model.tie_weights()
    model.generation_config = _generation_config(opened, config)
    return model.eval()


def _names_in_file(opened: GgufFile, state: dict[str, Tensor], layers: int) -> dict[str, str]:
    """Name of every weight of the model → its name in the file."""
    from gguf import MODEL_ARCH_NAMES, get_tensor_name_map

    kind = next(kind for kind, name in MODEL_ARCH_NAMES.items() if name == opened.architecture)
    table = get_tensor_name_map(kind, layers)
    found = {}
    for place in state:
        stem, _, last = place.rpartition(".")
        name = table.get_name(stem)
        found[place] = place if name is None else f"{name}.{last}"
    return found


def _check(opened: GgufFile, state: dict[str, Tensor], names: dict[str, str]) -> None:
    """Refuse a file whose tensors are not those of the model."""
    wanted = {names[place]: shape for place, shape in shapes_of(state).items()}
    problems = Problems(f"{opened.path}: its weights do not fit its description")
    add_misfit(problems, wanted, opened.shapes)
    problems.raise_any()


def _generation_config(opened: GgufFile, config: Any) -> GenerationConfig:
    """Where a text begins and ends; an end of a turn of its own ends it, too."""
    ends = [config.eos_token_id, opened.value("tokenizer.ggml.eot_token_id")]
    known = list(dict.fromkeys(token for token in ends if isinstance(token, int)))
    return GenerationConfig(
        bos_token_id=config.bos_token_id,
        eos_token_id=known[0] if len(known) == 1 else known or None,
        pad_token_id=config.pad_token_id,
    )
