"""A run that writes a plain checkpoint too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import ViltForQuestionAnswering, ViltProcessor

from skiptune.benchmarking.bench_models import Builder, parse_model

SHORT = {
    "search": {"max_steps": 2, "interval": 2},
    "train": {"max_steps": 4},
    "export": {"form": "plain"},
}


def test_a_run_leaves_a_checkpoint_for_transformers(
    tiny_recipe: Any, data_folder: Path, tmp_path: Path, call: Any
) -> None:
    recipe = tiny_recipe(adapters={"block_adapter": "lora", "skip_adapter": "none"}, **SHORT)
    assert call("run", recipe)[0] == 0
    folder = tmp_path / "recipe-run" / "plain"
    found, report = ViltForQuestionAnswering.from_pretrained(folder, output_loading_info=True)
    assert not any(report.values())
    assert found.config.num_hidden_layers == 2
    record = json.loads((folder / "skiptune.json").read_text())
    assert record["extra"].keys() >= {"accuracy", "latency"}
    assert "| this model |" in (folder / "README.md").read_text()
    for model in (found, Builder(labels=3129).build(parse_model(str(folder)))):  # its own answers, not as many as usual
        assert sum(value.numel() for value in model.parameters()) == record["parameters"]
    counted = json.loads(call("cost", folder, "--json")[1])
    assert counted["parameters"]["original"] == record["parameters"]
    processor, question = ViltProcessor.from_pretrained(folder), "what colour is it?"
    for picture in (data_folder / "images" / "0.png", data_folder / "images" / "3.png"):  # a square, and a wide one
        said = json.loads(call("predict", tmp_path / "recipe-run" / "slim", picture, question, "--json")[1])
        inputs = processor(Image.open(picture).convert("RGB"), question, return_tensors="pt")
        with torch.no_grad():
            shares = found.eval()(**inputs).logits[0].sigmoid().tolist()
        theirs = {found.config.id2label[number]: share for number, share in enumerate(shares)}
        assert {one["answer"]: one["probability"] for one in said} == pytest.approx(theirs, abs=1e-5)
    (folder / "model.safetensors").unlink()
    code, _, err = call("run", recipe)
    assert (code, "model.safetensors: differs from what was exported" in err) == (2, True)


def test_adapters_that_stay_are_refused_before_the_run(tiny_recipe: Any, tmp_path: Path, call: Any) -> None:
    code, _, err = call("run", tiny_recipe(adapters={"block_adapter": "lora", "skip_adapter": "bottleneck"}, **SHORT))
    assert code == 2
    assert "form: 'plain': adapters in the place of skipped blocks cannot be merged into weights" in err
    assert not (tmp_path / "recipe-run" / "plan.json").exists()
