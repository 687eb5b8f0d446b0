"""Settings of a model's image processor in a task: fewer image tokens, in exports too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import skiptune as st
from skiptune.core.errors import InputError
from skiptune.data.record import Record
from skiptune.families.chat_processor import ChatProcessor
from skiptune.tasks.generation.task import Generation
from tiny_chat import tiny_processor
from tiny_decoders import VLM, vlm

PICTURE = np.random.default_rng(0).integers(0, 255, (40, 30, 3), dtype=np.uint8)
RECORD = Record(PICTURE, "is it red", {"no": 1.0})
FEWER: dict[str, dict[str, Any]] = {
    "smolvlm": {"do_image_splitting": False},
    "idefics3": {"do_image_splitting": False},
    "qwen2_vl": {"max_pixels": 256},
    "qwen2_5_vl": {"size": {"shortest_edge": 64, "longest_edge": 256}},
    "llava_next": {"image_grid_pinpoints": [[16, 16]]},
    "llava_onevision": {"image_grid_pinpoints": [[16, 16]]},
}


def processor_of(name: str) -> ChatProcessor:
    made = tiny_processor(name)
    return ChatProcessor(VLM[name][0], made.tokenizer, made)


def image_tokens(task: Generation) -> int:
    batch = task.collate([RECORD])
    return int(torch.isin(batch["input_ids"], torch.tensor(task.processor.image_numbers)).sum())


@pytest.mark.parametrize("name", FEWER)
def test_an_image_takes_fewer_tokens(name: str) -> None:
    processor, settings = processor_of(name), FEWER[name]
    usual, task = Generation(processor), Generation(processor, image_settings=settings)
    assert image_tokens(task) < image_tokens(usual)
    assert image_tokens(Generation(processor)) == image_tokens(usual)  # the processor is as it was
    model = vlm(name)
    for field, value in task.model_changes().items():
        assert hasattr(model.config, field)
        setattr(model.config, field, value)
    with torch.no_grad():
        assert torch.isfinite(model(**task.collate([RECORD, RECORD])).loss)
    again = Generation(processor_of(name), **task.settings())
    assert image_tokens(again) == image_tokens(task)
    assert image_tokens(task.with_settings(max_new_tokens=3)) == image_tokens(task)
    assert image_tokens(task.with_settings(image_settings={})) == image_tokens(usual)


def test_an_export_has_them(tmp_path: Path) -> None:
    (model := vlm("qwen2_vl")).save_pretrained(tmp_path / "base")
    processor_of("qwen2_vl").save_pretrained(tmp_path / "base")
    task = Generation(st.load_processor(str(tmp_path / "base")), image_settings=FEWER["qwen2_vl"])
    st.insert(model, st.SkipConfig(block_adapter="lora", skip_adapter="folded"))
    blocks = tuple(st.blocks_of(model))
    plan = st.Plan(model.config.model_type, blocks, blocks[1:2])
    folder = st.export(model, tmp_path / "plain", plan, task=task, form="plain", base=str(tmp_path / "base"))
    content = json.loads((folder / "processor_config.json").read_text())
    assert content["image_processor"]["size"] == {"longest_edge": 256, "shortest_edge": 64}
    alone = Generation(st.load_processor(str(folder)))  # without any setting of the task
    assert image_tokens(alone) == image_tokens(task)
    assert torch.equal(alone.collate([RECORD])["input_ids"], task.collate([RECORD])["input_ids"])


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match=r"(?s)do_splitting.*did you mean 'do_image_splitting'.*nonsense"):
        Generation(processor_of("smolvlm"), image_settings={"do_splitting": False, "nonsense": 1})
    small = {"height": 8, "width": 8}
    with pytest.raises(InputError, match=r"takes images of 16 × 16 pixels, and these settings make images of 8 × 8"):
        Generation(processor_of("llava"), image_settings={"size": small, "crop_size": small})
    with pytest.raises(InputError, match="takes patches of 96 numbers"):
        Generation(processor_of("qwen2_vl"), image_settings={"patch_size": 8})
    with pytest.raises(InputError, match="does not take them"):
        Generation(processor_of("qwen2_vl"), image_settings={"size": "small"})
    for name, setting, why in (
        ("qwen2_vl", {"merge_size": 1}, "merge_size: the model is built for the one that it has"),
        ("qwen2_vl", {"do_resize": False}, "does not take them"),  # some sizes would pass
        ("smolvlm", {"do_image_splitting": "no"}, "do_image_splitting: 'no' is neither true nor false"),
        ("internvl", {"crop_to_patches": False}, "crop_to_patches: InternVLProcessor always takes True"),
        ("llava_next", {"image_grid_pinpoints": [[16, 16], [20, 32]]}, r"\[20, 32\] is not a whole number of images"),
    ):
        with pytest.raises(InputError, match=why):
            Generation(processor_of(name), image_settings=setting)
    with pytest.raises(InputError, match="the model reads texts alone"):
        Generation(ChatProcessor("llama", tiny_processor("llama")), image_settings={"max_pixels": 256})
