"""GGUF files of tiny decoders, as llama.cpp's converter writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedModel

gguf = pytest.importorskip("gguf", reason="the library gguf is not installed (extra gguf)")

TEMPLATE = "{% for message in messages %}<s>{{ message['role'] }} {{ message['content'] }}</s>{% endfor %}"
#: Our families → what llama.cpp calls them.
ARCHITECTURES = {
    "llama": "llama",
    "mistral": "llama",
    "qwen2": "qwen2",
    "qwen3": "qwen3",
    "gemma2": "gemma2",
    "gemma3_text": "gemma3",
}


def write_gguf(path: Path, model: PreTrainedModel, kind: str = "F32", **changes: Any) -> Path:
    """The model as a file.

    Args:
        path: to be written.
        model: a tiny decoder.
        kind: of the matrices' numbers.
        changes: ``architecture``; ``without`` and ``also``, tensors to leave out and to add; ``fields``, further ones;
            ``tokens``: whether there is a tokenizer.
    """
    config: Any = model.config
    architecture = changes.get("architecture", ARCHITECTURES[config.model_type])
    writer = gguf.GGUFWriter(path, architecture)
    _describe(writer, config)
    if changes.get("tokens", True):
        _add_tokens(writer, config)
    for name, value in changes.get("fields", {}).items():
        writer.add_uint32(name, value)
    for name, values in _tensors(model).items():
        if name not in changes.get("without", ()):
            whole = values.ndim == 1 or values.shape[1] % 32  # a block has 32 numbers
            number = gguf.GGMLQuantizationType["F32" if whole else kind]
            data = values if number.name == "F32" else gguf.quantize(values, number)
            writer.add_tensor(name, data, raw_dtype=number)
    for name, values in changes.get("also", {}).items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _describe(writer: Any, config: Any) -> None:
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    writer.add_key_length(config.hidden_size // config.num_attention_heads)
    writer.add_rope_freq_base(10000.0)


def _add_tokens(writer: Any, config: Any) -> None:
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    words = ["<pad>", "<s>", "</s>", *letters, "Ġ", "?", "Ġi", "is", "it", "so", "ye"]
    words += [f"<{number}>" for number in range(config.vocab_size - len(words))]
    special = gguf.TokenType.CONTROL
    types = [special if word.startswith("<") else gguf.TokenType.NORMAL for word in words]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(words)
    writer.add_token_types(types)
    writer.add_token_merges(["Ġ i", "i s", "i t", "s o", "y e"])
    writer.add_bos_token_id(config.bos_token_id)
    writer.add_eos_token_id(config.eos_token_id)
    writer.add_pad_token_id(config.pad_token_id)
    writer.add_chat_template(TEMPLATE)


def _tensors(model: PreTrainedModel) -> dict[str, Any]:
    """Values by their names in the file."""
    config: Any = model.config
    architecture = ARCHITECTURES[config.model_type]
    kind = next(kind for kind, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    table = gguf.get_tensor_name_map(kind, config.num_hidden_layers)
    tied = config.tie_word_embeddings
    found = {}
    for place, value in model.state_dict().items():
        if place == "lm_head.weight" and tied:
            continue
        values = value.float().numpy()
        if architecture == "llama" and (".q_proj." in place or ".k_proj." in place):
            heads = config.num_attention_heads if ".q_proj." in place else config.num_key_value_heads
            values = values.reshape(heads, 2, -1, values.shape[1]).swapaxes(1, 2).reshape(values.shape)
        if architecture.startswith("gemma") and "norm" in place:
            values = values + 1
        stem, _, last = place.rpartition(".")
        found[f"{table.get_name(stem)}.{last}"] = values
    return found
