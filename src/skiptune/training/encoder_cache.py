"""Cached outputs of frozen encoders, in a file: each image and text is encoded only once.

METER's encoders are 58 % of its work. They do not depend on anything that is trained, so their output for an image or a
text is the same in every epoch, in search, training and evaluation. Rows are identified by their content, pixels and
tokens as they are prepared, wherever they come from, and by all else that their output depends on. Each is encoded by
itself, without padding and without dropout: cached outputs do not depend on the batch, and a killed run resumes to the
same weights. The released code encodes everything anew, with dropout in the encoders during training.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn.functional import pad

from ..core.errors import InputError
from ..core.files import telling_of
from ..core.process import is_disk_failure
from ..core.progress import say_once
from ..families.family import Encoder
from ..families.registry import family_of
from ..layers.blocks import SkippableBlock
from ..models.evaluation_mode import evaluation_mode
from ..models.fingerprint import fingerprint

_WAIT = 300.0  # seconds to wait for another process that writes
_DIGEST = 20  # bytes in front of every stored output: a digest of its key and of the rest
_TABLE = "outputs"  # of version 0.3: ``encoded``, without digests and known by less


class EncoderCache:
    """A file of cached encoder outputs. Several processes of one machine may share it; it survives a killed process.

    Args:
        path: of the file, an SQLite data base; made if it is not there.
        gib: largest size of the file; once it is full, further rows are encoded every time.

    Attributes:
        hits, misses: rows that were found, and that were encoded, by this object.
    """

    def __init__(self, path: str | Path, gib: float = 2.0) -> None:
        self.path, self.limit = Path(path), gib * 2**30
        self.hits = self.misses = 0

    @contextmanager
    def attached(self, model: nn.Module) -> Iterator[EncoderCache]:
        """Context in which the frozen encoders of ``model`` take cached outputs where there are any.

        An encoder with trained parameters is not cached, and neither are copies of the model. Encoders must not change
        in this context.

        Raises:
            InputError: the family has no encoders below its blocks, or the file cannot be used.
        """
        encoders = encoders_of(model)
        with ExitStack() as stack:
            store = stack.enter_context(self._open())
            for encoder in encoders:
                if not any(parameter.requires_grad for parameter in encoder.weights.parameters()):
                    setattr(encoder.owner, encoder.method, _Lookup(self, encoder, store))
                    stack.callback(delattr, encoder.owner, encoder.method)
            yield self

    def remove(self) -> None:
        """Remove the file, if it is there."""
        for ending in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + ending).unlink(missing_ok=True)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with closing(sqlite3.connect(self.path, timeout=_WAIT, isolation_level=None)) as store:
                store.execute("PRAGMA journal_mode=WAL")  # readers do not wait for a writer
                store.execute("PRAGMA synchronous=NORMAL")
                store.execute("DROP TABLE IF EXISTS encoded")
                store.execute(f"CREATE TABLE IF NOT EXISTS {_TABLE} (key BLOB PRIMARY KEY, rows BLOB NOT NULL)")
                yield store
        except sqlite3.Error as error:
            with telling_of(self.path):
                if is_disk_failure(error):
                    raise
            raise InputError(
                f"{self.path}: cannot be used as a cache of encoder outputs ({error}); remove it, or name another file"
            ) from None


class _Lookup:
    """Replaces an encoder's method; it encodes only rows that are not in the file yet."""

    def __init__(self, cache: EncoderCache, encoder: Encoder, store: sqlite3.Connection) -> None:
        self.cache, self.encoder, self.store = cache, encoder, store
        self.encode: Callable[..., Tensor] = getattr(encoder.owner, encoder.method)
        self.blocks = [module for module in encoder.weights.modules() if isinstance(module, SkippableBlock)]
        self.about = _about(encoder)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """The plain method of the owner's copy, whose operations may be counted and whose weights may change."""
        owner = memo[id(self.encoder.owner)]
        return getattr(type(owner), self.encoder.method).__get__(owner)

    def __call__(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        """As the method: ``(batch, …)`` and the mask of tokens ``(batch, tokens)`` to ``(batch, rows, width)``; zeros
        where there is padding. Where fewer image tokens go on within the encoder, nothing is kept: their sizes are not
        in the file."""
        if any(block.reduction is not None for block in self.blocks):
            return self.encode(inputs) if mask is None else self.encode(inputs, mask)
        rows = list(inputs) if mask is None else [row[own.bool()] for row, own in zip(inputs, mask, strict=True)]
        about = f"{self.about} {[block.skipped for block in self.blocks]} {_arithmetic(inputs.device.type)}"
        keys = [_key(about, row) for row in rows]
        by_key = dict(zip(keys, rows, strict=True))
        found = {key: kept for key in by_key if (kept := self._read(key)) is not None}
        made = {key: self._alone(row) for key, row in by_key.items() if key not in found}
        self._write(made)
        self.cache.misses += len(made)
        self.cache.hits += len(keys) - len(made)
        encoded = [found[key] if key in found else made[key] for key in keys]
        length = max(map(len, encoded)) if mask is None else inputs.shape[1]
        return torch.stack([pad(one, (0, 0, 0, length - len(one))) for one in encoded]).to(inputs.device)

    def _alone(self, row: Tensor) -> Tensor:
        """One row encoded by itself in evaluation mode, on the CPU."""
        with evaluation_mode(self.encoder.weights), torch.no_grad():
            return self.encode(row[None])[0].cpu()

    def _read(self, key: bytes) -> Tensor | None:
        found = self.store.execute(f"SELECT rows FROM {_TABLE} WHERE key = ?", (key,)).fetchone()
        if found is None:
            return None
        stored = found[0] if isinstance(found[0], bytes) else b""  # a flipped bit can turn it into a number
        if stored[:_DIGEST] != _digest(key, stored[_DIGEST:]):
            say_once(f"{self.cache.path}: rows differ from what was written; they are encoded again")
            return None
        rows: Tensor = load(stored[_DIGEST:])["rows"]
        return rows

    def _write(self, made: Mapping[bytes, Tensor]) -> None:
        """Store new outputs, if there is room; another process may have stored the same."""
        used = _number(self.store, "page_count") * _number(self.store, "page_size")
        if not made or used >= self.cache.limit:
            return
        self.store.execute("BEGIN IMMEDIATE")
        contents = ((key, save({"rows": rows})) for key, rows in made.items())
        values = ((key, _digest(key, content) + content) for key, content in contents)
        self.store.executemany(f"INSERT OR REPLACE INTO {_TABLE} VALUES (?, ?)", values)
        self.store.execute("COMMIT")


def encoders_of(model: nn.Module) -> list[Encoder]:
    """The encoders of a model whose outputs can be cached.

    Raises:
        InputError: the family has none.
    """
    family = family_of(model)
    if family.encoders is None:
        raise InputError(f"encoder_cache: {family.name} has no encoders whose outputs can be cached; set it to null")
    return family.encoders(model)


def _about(encoder: Encoder) -> str:
    """What outputs of an encoder depend on beside its rows, as far as it stays the same while the cache is attached:
    weights, structure, configuration, the strength of its adapters, and libraries."""
    weights = encoder.weights
    config: Any = getattr(weights, "config", None)
    facts = {
        "method": encoder.method,
        "weights": fingerprint(weights.state_dict().items()),
        "structure": hashlib.sha256(repr(weights).encode()).hexdigest(),
        "configuration": None if config is None else config.to_dict(),
        "attention": getattr(config, "_attn_implementation", None),
        "scaling": [getattr(module, "scaling", None) for module in weights.modules()],
        "merged": [getattr(module, "merged_adapters", None) for module in weights.modules()],
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    return json.dumps(facts, sort_keys=True, default=str)


def _arithmetic(device: str) -> str:
    """The device and, under autocast, its type of numbers: outputs are rounded by both."""
    autocast = torch.is_autocast_enabled(device)
    return f"{device} {torch.get_autocast_dtype(device) if autocast else ''}"


def _digest(key: bytes, content: bytes) -> bytes:
    return hashlib.blake2b(key + content, digest_size=_DIGEST).digest()


def _key(about: str, row: Tensor) -> bytes:
    digest = hashlib.blake2b(f"{about} {row.dtype} {tuple(row.shape)} ".encode(), digest_size=20)
    digest.update(row.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    return digest.digest()


def _number(store: sqlite3.Connection, pragma: str) -> int:
    return int(store.execute(f"PRAGMA {pragma}").fetchone()[0])
