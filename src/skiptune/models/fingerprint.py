"""A digest of a model's weights."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import torch
from torch import Tensor


def fingerprint(tensors: Iterable[tuple[str, Tensor]], sample: int | None = None) -> str:
    """SHA-256 over names, types, shapes and bytes of tensors, in the order of their names.

    Args:
        tensors: by name.
        sample: take only this many numbers of each tensor, evenly spaced, including the first and the last.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors, key=lambda item: item[0]):
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        value = tensor.detach().reshape(-1)
        if sample is not None and len(value) > sample:
            value = value[torch.arange(sample, device=value.device) * (len(value) - 1) // (sample - 1)]
        digest.update(value.cpu().contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()
