"""The type of numbers that a device computes fastest in."""

from __future__ import annotations

import torch

#: Instruction sets of CPUs without any for bfloat16, as torch names them: there it is ten to fifty times slower.
_WITHOUT_BFLOAT16 = ("DEFAULT", "NO AVX", "AVX", "AVX2")


def fast_type(device: str | torch.device = "cpu") -> torch.dtype:
    """bfloat16 where the device has instructions for it, float32 elsewhere."""
    if torch.device(device).type == "cpu" and torch.backends.cpu.get_cpu_capability() in _WITHOUT_BFLOAT16:
        return torch.float32
    return torch.bfloat16


def fast_autocast(device: str | torch.device = "cpu") -> torch.autocast:
    """Context that computes in :func:`fast_type`."""
    chosen = fast_type(device)
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=chosen is torch.bfloat16)
