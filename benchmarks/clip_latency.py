"""CLIP ViT-B/32, the whole way on random weights: search, train, export, ONNX; and its latency with 4 of 12 skipped.

    python benchmarks/clip_latency.py [--rounds 20]

The data are 48 drawn pictures with captions, a few steps long: time does not depend on weights. Timed are one image and
one text, with the first four layers of both towers skipped, in turns in one process: transformers' own model, slim
models with and without skip adapters (LoRA merged), with oneDNN's kernels, and in onnxruntime, where the first of its
models is the original. ``ratio`` is to the original, round by round,
of seconds and of processor time, which does not count waiting for a busy machine.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from PIL import Image
from transformers import CLIPModel, PreTrainedModel

import skiptune as st
from skiptune.core.files import write_json
from skiptune.core.process import keep_freed_memory, versions
from skiptune.costs.example_inputs import example_inputs
from skiptune.costs.latency import ratios
from skiptune.costs.macs import count_macs

MODEL = "clip-b32"
SKIPPED = tuple(f"{tower}.{layer}" for tower in ("text", "image") for layer in range(4))
COLOURS = ("red", "green", "blue", "yellow", "white", "black")
LORA, BARE = st.SkipConfig(block_adapter="lora"), st.SkipConfig(block_adapter="none")


def pictures(folder: Path) -> list[st.Record]:
    """A square on a ground, in any two colours."""
    records = []
    for number in range(48):
        ground, square = COLOURS[number % 6], COLOURS[(number // 6 + number) % 6]
        image = Image.new("RGB", (64, 64), ground)
        image.paste(square, (10 + number // 2, 16, 40 + number // 2, 48))
        image.putpixel((0, 0), (number, 0, 0))  # no two are alike
        image.save(folder / f"{number}.png")
        records.append(st.Record(folder / f"{number}.png", captions=(f"a {square} square on {ground}, {number}",)))
    return records


def adapted_and_trained(folder: Path) -> tuple[PreTrainedModel, st.Retrieval, dict[str, Any]]:
    """A model that a search chose four blocks for, trained on; and how long that took."""
    records = pictures(folder)
    task = st.Retrieval.from_records(st.load_processor(MODEL), records)
    model = st.insert(st.load_model(MODEL, task.model_class), LORA)
    training = st.TrainConfig(max_steps=8, batch_size=8)
    search = st.SearchConfig(max_steps=6, interval=2, candidates=2)
    experiment = st.Experiment(task, records[:40], records[40:], st.Budget(num_skip=8), search, training)
    start = time.perf_counter()
    plan = st.search(model, experiment)
    st.fit(model, experiment, plan)
    seconds = time.perf_counter() - start
    found = {"search_and_fit_s": round(seconds, 1), "strategy": plan.strategy, "skipped": list(plan.skipped)}
    return model, task, found


def slim(folder: Path, name: str, model: PreTrainedModel, task: st.Retrieval, skipped: tuple[str, ...]) -> Path:
    """The directory of a slim model with these blocks skipped."""
    plan = st.Plan("clip", tuple(st.blocks_of(model)), skipped)
    return st.export(model, folder / name, plan, task)


@torch.inference_mode()
def processor_ratios(models: dict[str, torch.nn.Module], inputs: Any, rounds: int) -> dict[str, float]:
    """Median ratios of processor time to the first model's, in turns: waiting for a busy machine does not count."""
    spent: dict[str, list[float]] = {name: [] for name in models}
    for number in range(rounds + 2):
        for name in list(models)[:: 1 if number % 2 else -1]:
            start = time.process_time()
            models[name](**inputs)
            spent[name].append(time.process_time() - start)
    first = next(iter(spent.values()))
    return {name: statistics.median(ratios(own[2:], first[2:])) for name, own in spent.items()}


def measure(folder: Path, rounds: int, text: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows of all models, and what came before."""
    model, task, found = adapted_and_trained(folder)
    bare = st.insert(st.load_model(MODEL, task.model_class), BARE)
    with_adapters = slim(folder, "slim", model, task, SKIPPED)
    whole, without = (slim(folder, name, bare, task, blocks) for name, blocks in (("whole", ()), ("without", SKIPPED)))
    models: dict[str, torch.nn.Module] = {
        "original, transformers": CLIPModel(model.config).eval(),
        "slim": st.load(with_adapters),
        "slim, no skip adapters": st.load(without),
        "slim, oneDNN": st.prepare_for_inference(st.load(with_adapters)),
        "original, onnxruntime": st.load_onnx(st.export_onnx(whole, folder / "onnx-whole")),
        "slim, onnxruntime": st.load_onnx(st.export_onnx(with_adapters, folder / "onnx")),
    }
    inputs = example_inputs(models["slim"], (224, 224), text)
    taken = st.compare_latency(models, inputs, repeats=rounds)
    graphs = {name: model for name, model in models.items() if name.endswith("onnxruntime")}
    others = {name: model for name, model in models.items() if name not in graphs}
    of_processor = {**processor_ratios(others, inputs, rounds), **processor_ratios(graphs, inputs, rounds)}
    rows = []
    for name, timing in taken.items():
        first = "original, onnxruntime" if name.endswith("onnxruntime") else "original, transformers"
        of_rounds = ratios(timing.seconds, taken[first].seconds)
        macs = None if name.endswith("onnxruntime") else round(count_macs(models[name], inputs), 3)
        tenths = statistics.quantiles(of_rounds, n=10, method="inclusive")
        rows.append(
            {
                "model": name,
                "text": text,
                "macs_g": macs if "oneDNN" not in name else None,
                "median_s": timing.median_s,
                "p10_s": timing.p10_s,
                "p90_s": timing.p90_s,
                "ratio": statistics.median(of_rounds),
                "ratio_p10_p90": [tenths[0], tenths[-1]],
                "processor_ratio": of_processor[name],
            }
        )
    return rows, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--text", type=int, default=77, help="tokens")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "clip_latency.json")
    options = parser.parse_args()
    keep_freed_memory()
    load = os.getloadavg()[0]
    with TemporaryDirectory() as folder:
        rows, found = measure(Path(folder), options.rounds, options.text)
    content = {
        "command": shlex.join(["python", "benchmarks/clip_latency.py", *sys.argv[1:]]),
        "threads": torch.get_num_threads(),
        "load_before": round(load, 2),
        "rounds": options.rounds,
        "whole_way": found,
        "rows": rows,
        "versions": versions(),
    }
    write_json(options.output, content)
    for row in rows:
        low, high = row["ratio_p10_p90"]
        said = f"ratio {row['ratio']:.3f} ({low:.3f} to {high:.3f}), of processor time {row['processor_ratio']:.3f}"
        print(f"{row['model']:<26}{row['median_s'] * 1e3:8.1f} ms  {said}")


if __name__ == "__main__":
    main()
