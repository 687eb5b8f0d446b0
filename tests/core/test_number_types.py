"""Which type of numbers is fast here, and that computations in it are what they say."""

from __future__ import annotations

import pytest
import torch

from skiptune.core.number_types import fast_autocast, fast_type


@pytest.mark.parametrize(("capability", "expected"), [("AVX2", torch.float32), ("AVX512", torch.bfloat16)])
def test_a_processor_without_instructions_for_bfloat16_computes_in_float32(
    monkeypatch: pytest.MonkeyPatch, capability: str, expected: torch.dtype
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    layer = torch.nn.Linear(4, 4)
    with fast_autocast("cpu"):
        found = layer(torch.ones(1, 4)).dtype
    assert fast_type("cpu") is expected
    assert found is expected


def test_other_devices_are_fast_in_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert fast_type("cuda:0") is torch.bfloat16
