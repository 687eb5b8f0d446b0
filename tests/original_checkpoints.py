"""Checkpoints of the original code, and the numbers that they give there."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import PreTrainedModel

from skiptune.families.registry import families

GOLDEN = Path(__file__).parents[1] / ".." / "shared" / "golden"
needs_golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason=f"golden numbers are not here: {GOLDEN}")

GATE = "das_gate"
DAS_ONLY = ("token4classifier", GATE, "skip_num")


@cache
def golden(family: str, name: str) -> dict[str, Tensor]:
    content: dict[str, Tensor] = load_file(GOLDEN / f"{family}_{name}.safetensors")
    return content


@cache
def settings(family: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((GOLDEN / f"{family}_config.json").read_text())
    return content


def state_of(family: str, adapters: bool = False, heads: tuple[str, ...] = ("vqa", "nlvr2", "rank", "itm")) -> Any:
    """The golden weights, as the original model would have them, or the DAS code's with adapters."""
    heads_off = tuple({"vqa", "nlvr2", "rank", "itm"} - set(heads))
    return {
        key: value
        for key, value in golden(family, "state_dict").items()
        if (adapters or not ("adapter" in key or key in DAS_ONLY)) and not key.startswith(heads_off)
    }


def write_checkpoint(path: Path, family: str, state: dict[str, Tensor], **changes: Any) -> Path:
    """What Lightning writes, with the run's configuration; ``changes`` are made to that."""
    content = {
        "epoch": 9,
        "global_step": 24360,
        "pytorch-lightning_version": "1.3.2",
        "state_dict": state,
        "callbacks": {},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 1e-4}]}],
        "lr_schedulers": [{"last_epoch": 3, "lr_lambdas": [None]}],
        "hparams_name": "config",
        "hyper_parameters": {"config": {**settings(family)["config"], **changes}},
    }
    torch.save(content, path)
    return path


def inputs(family: str, image: str = "image") -> dict[str, Tensor]:
    given = golden(family, "inputs")
    found = {"input_ids": given["text_ids"], "attention_mask": given["text_masks"], "pixel_values": given[image]}
    if family == "vilt":  # the original takes pixels that are zero in all channels for padding
        found["pixel_mask"] = (given[image].sum(1) != 0).long()
    return found


@torch.inference_mode()
def outputs(family: str, task: str, model: PreTrainedModel) -> tuple[str, Tensor]:
    """The name that a task's logits have among the golden numbers, and what ``model`` says."""
    given = inputs(family)
    if task == "reasoning":
        other = inputs(family, "image_1")
        given |= {name: torch.stack((given[name], other[name]), 1) for name in given if name.startswith("pixel")}
    with torch.random.fork_rng(devices=[]):  # transformers' ViLT draws from it
        logits = model(**given).logits
    if task == "retrieval":
        return "rank_score", logits[:, 0]
    return {"vqa": "vqa_logits", "reasoning": "nlvr2_logits"}[task], logits


def difference(family: str, task: str, variant: str, model: PreTrainedModel) -> float:
    name, ours = outputs(family, task, model)
    reference = golden(family, f"out_{variant}")[name]
    assert ours.shape == reference.shape
    return float((ours - reference).abs().max() / reference.abs().max())


def model_class(family: str, task: str) -> type[PreTrainedModel]:
    return next(entry for entry in families() if entry.name == family).model_class(task)
