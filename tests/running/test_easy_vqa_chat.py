"""The packaged recipe for the embedded decoder runs, and leaves a checkpoint that transformers alone reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoProcessor, LlavaForConditionalGeneration

from skiptune import Run, read_recipe

SHORT = (
    "train.max_steps=4", "train.batch_size=8", "data.max_train=64", "data.max_validation=16", "data.max_test=24",
    "baselines=[]", "bench.batch_sizes=[1]", "bench.repeats=2",
)  # fmt: skip


@pytest.mark.slow
def test_easy_vqa_by_generating(tmp_path: Path) -> None:
    found = Run(read_recipe("easy-vqa-chat", SHORT, str(tmp_path))).all()
    assert len(found.plan.skipped) == 4
    assert found.metric.test.metrics["exact_match"] > 0.5
    plain = LlavaForConditionalGeneration.from_pretrained(tmp_path / "plain")
    assert plain.config.text_config.num_hidden_layers == 8
    tokenizer = AutoProcessor.from_pretrained(tmp_path / "plain").tokenizer
    assert tokenizer.eos_token == "[SEP]"
    assert tokenizer.backend_tokenizer.truncation is None
