"""A training in bfloat16 on a processor that has no instructions for it is told so."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import TrainingArguments

from skiptune.core.progress import say_once
from skiptune.training.machine import tell_machine


@pytest.mark.parametrize(("capability", "told"), [("AVX2", True), ("AVX512", False)])
def test_bf16_without_instructions_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, capability: str, told: bool
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    say_once.cache_clear()
    tell_machine(TrainingArguments(output_dir=str(tmp_path), bf16=True, use_cpu=True))
    said = "".join(capsys.readouterr())
    assert ("slower than float32" in said) is told
