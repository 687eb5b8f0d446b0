"""Language models in GGUF files, the format of llama.cpp."""

from .gguf_file import GgufFile, is_gguf, open_gguf
from .gguf_model import gguf_config, gguf_tokenizer, model_from_gguf

__all__ = ["GgufFile", "gguf_config", "gguf_tokenizer", "is_gguf", "model_from_gguf", "open_gguf"]
