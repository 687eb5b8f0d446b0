"""Time to the first token and time per token of decoders with a quarter of their layers skipped, against the original.

    python benchmarks/decoder_latency.py [--models smollm2 llava] [--threads 1 2] [--rounds 20]

Random weights: time does not depend on them. ``smollm2`` is SmolLM2-135M, ``llava`` the same decoder behind a CLIP
ViT-B/16 tower (224 px, 196 image tokens). Timed are a prefill, with the logits of the last position, and decode steps
after it with a real cache, batch 1, float32, in turns in one process:

- ``original``: transformers' own model, read from a file like all others;
- ``merged``: our own form with nothing skipped, LoRA merged;
- ``slim``: our own form, folded skip adapters, LoRA merged;
- ``plain``: the plain checkpoint of the same, as transformers' own class loads it;
- ``fewer layers``: transformers' own model that was made with as many layers, and never adapted;
- ``bottleneck``: our own form with bottleneck skip adapters, which do cost something.

``ratio`` is to the original, round by round. ``saved_macs`` and ``saved_bytes`` are shares of the whole model's
operations and of the weights that a pass reads, tower and head included; ``realised`` is the saved share of the time
over ``saved_macs``. ``extra`` is the time beyond a model's counterpart without adapters, round by round: ``merged``
beside ``original``, ``slim`` and ``plain`` beside ``fewer layers``.
"""

from __future__ import annotations

import argparse
import copy
import os
import shlex
import statistics
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, LlamaForCausalLM, LlavaForConditionalGeneration

import skiptune as st
from skiptune.core.files import write_json
from skiptune.core.intervals import median_interval
from skiptune.core.measurements import Timing
from skiptune.core.process import keep_freed_memory, versions
from skiptune.costs.example_inputs import example_inputs
from skiptune.costs.generation import DecodeStep, Prefill
from skiptune.costs.latency import compare_latency, ratios
from skiptune.costs.macs import count_macs
from skiptune.models.architectures import ARCHITECTURES
from skiptune.models.construction import construction

TEXT = 256  # tokens
IMAGE = (224, 224)
MODELS = ("smollm2", "llava")
COUNTERPARTS = {"merged": "original", "slim": "fewer layers", "plain": "fewer layers"}
FOLDED = st.SkipConfig(block_adapter="lora", skip_adapter="folded")
BOTTLENECK = st.SkipConfig(block_adapter="lora", skip_adapter="bottleneck")


def configuration(name: str, layers: int | None = None) -> Any:
    """Of a model, with its own number of layers or another one."""
    text = ARCHITECTURES["smollm2-135m"].config()
    text.num_hidden_layers = layers or text.num_hidden_layers
    if name == "smollm2":
        return text
    tower = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
    vision = AutoConfig.for_model("clip_vision_model", **tower, image_size=224, patch_size=16)
    return (
        ARCHITECTURES["llava-1.5-7b"]
        .config()
        .__class__(text_config=text, vision_config=vision, image_token_id=text.vocab_size - 1, tie_word_embeddings=True)
    )


def made(name: str, layers: int | None = None) -> Any:
    """A model with random weights, in evaluation mode."""
    config = configuration(name, layers)
    with construction():
        model: Any = (LlamaForCausalLM if name == "smollm2" else LlavaForConditionalGeneration)(config)
    return model.eval()


def read_back(model: Any, folder: Path) -> Any:
    """The same model, read from a file as the others are: weights in mapped memory are read about 1 % more slowly."""
    model.save_pretrained(folder)
    return type(model).from_pretrained(folder).eval()


def models_of(name: str, folder: Path) -> tuple[dict[str, nn.Module], tuple[str, ...]]:
    """All models that are timed, and the layers that are skipped."""
    original = made(name)
    folded = st.insert(copy.deepcopy(original), FOLDED)
    blocks = tuple(st.blocks_of(folded))
    skipped = blocks[1::4]
    plan, whole = (st.Plan(original.config.model_type, blocks, names) for names in (skipped, ()))
    bottleneck = st.insert(copy.deepcopy(original), BOTTLENECK)
    plain = st.export(folded, folder / "plain", plan, form="plain")
    return {
        "original": read_back(original, folder / "original"),
        "merged": st.load(st.export(folded, folder / "merged", whole)),
        "slim": st.load(st.export(folded, folder / "slim", plan)),
        "plain": type(original).from_pretrained(plain).eval(),
        "fewer layers": read_back(made(name, len(blocks) - len(skipped)), folder / "fewer"),
        "bottleneck": st.load(st.export(bottleneck, folder / "bottleneck", plan)),
    }, skipped


def weight_bytes(model: Any, step: bool) -> int:
    """Bytes of the weights that a pass reads: no tower in a step; the few rows of the embedding do not count."""
    table, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    parts = [model.get_decoder()] if step else [model]
    read = {id(weight): weight for part in parts for weight in part.parameters() if weight is not table}
    read[id(head)] = head
    return sum(weight.numel() * weight.element_size() for weight in read.values())


def timed(models: Mapping[str, nn.Module], inputs: Any, rounds: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Prefill and decode step: their timings, operations in G and bytes, by model."""
    prefills = {name: Prefill(model).eval() for name, model in models.items()}
    steps = {name: DecodeStep(prefill).eval() for name, prefill in prefills.items()}
    for title, passes in (("prefill", prefills), ("decode step", steps)):
        taken = compare_latency(passes, inputs, repeats=rounds, title=title)
        macs = {name: count_macs(each, inputs) for name, each in passes.items()}
        sizes = {name: weight_bytes(model, title == "decode step") for name, model in models.items()}
        yield title, {"timings": taken, "macs": macs, "bytes": sizes}


def rows(name: str, folder: Path, rounds: int, threads: list[int]) -> Iterator[dict[str, Any]]:
    """One for every model, pass and number of threads."""
    models, skipped = models_of(name, folder)
    inputs = example_inputs(models["original"], IMAGE, TEXT)
    for count in threads:
        torch.set_num_threads(count)
        for title, found in timed(models, inputs, rounds):
            for model, timing in found["timings"].items():
                own = row(model, timing, found)
                given = {"model": name, "pass": title, "prompt": inputs["input_ids"].shape[1], "threads": count}
                yield {
                    **given,
                    "form": model,
                    "skipped": len(skipped) if model not in ("original", "merged") else 0,
                    **own,
                }


def row(name: str, timing: Timing, found: Mapping[str, Any]) -> dict[str, Any]:
    """What was measured of one model in one pass."""
    macs, sizes = found["macs"], found["bytes"]
    saved = 1 - macs[name] / macs["original"]
    own = {
        "median_s": timing.median_s,
        "p10_s": timing.p10_s,
        "p90_s": timing.p90_s,
        "ratio": timing.ratio,
        "ratio_interval": timing.ratio_interval,
        "macs_g": macs[name],
        "weight_bytes": sizes[name],
        "saved_macs": saved,
        "saved_bytes": 1 - sizes[name] / sizes["original"],
        "realised": (1 - timing.ratio) / saved if saved > 1e-9 else None,
    }
    if name not in COUNTERPARTS:
        return own
    of_rounds = ratios(timing.seconds, found["timings"][COUNTERPARTS[name]].seconds)
    low, high = median_interval(of_rounds)
    return {**own, "extra": statistics.median(of_rounds) - 1, "extra_interval": [low - 1, high - 1]}


def printed(one: Mapping[str, Any]) -> str:
    """A row for people."""
    said = (
        f"{one['model']:<9}{one['pass']:<12}{one['threads']} threads  {one['form']:<13}{one['median_s'] * 1e3:8.1f} ms"
    )
    said += f"  {one['ratio']:.3f}"
    if one["realised"] is not None:
        said += f", realised {one['realised']:.2f}"
    return said if "extra" not in one else f"{said}, extra {one['extra']:+.1%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "decoder_latency.json")
    options = parser.parse_args()
    keep_freed_memory()
    load, found = os.getloadavg()[0], []
    for name in options.models:
        with TemporaryDirectory() as folder:
            for one in rows(name, Path(folder), options.rounds, options.threads):
                found.append(one)
                print(printed(one), flush=True)
    content = {
        "command": shlex.join(["python", "benchmarks/decoder_latency.py", *sys.argv[1:]]),
        "load_before": round(load, 2),
        "rounds": options.rounds,
        "rows": found,
        "versions": versions(),
    }
    write_json(options.output, content)


if __name__ == "__main__":
    main()
