"""Accuracy, size and latency of a finished run's slim model: torch, onnxruntime, and onnxruntime with 8-bit weights.

    python benchmarks/onnx_accuracy.py [--run runs/easy-vqa-demo] [--batches 1 32] [--repeats 50 10]

Exports the slim model into a temporary directory, measures all three on the run's test records (validation, if there
are none), and then times them in turns in one process, with as many threads each, on batches of the same records.
``same_answer`` is the share of records to which torch's model says the same. ``ratio`` is to torch, round by round.
``load_s`` is one reading from the disk's cache.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
import time
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch

import skiptune as st
from skiptune.core.files import write_json
from skiptune.core.process import keep_freed_memory, versions
from skiptune.core.text_files import read_json
from skiptune.exporting.backends import BACKENDS, load_backend
from skiptune.exporting.onnx.description import read_description
from skiptune.exporting.onnx.session import ONNX_FILES


def measure(folder: Path, records: Any, batches: list[int], repeats: list[int]) -> list[dict[str, Any]]:
    """A row a backend."""
    models, rows, said = {}, [], {}
    exported = read_description(folder).models  # outputs were compared before this was written
    for backend in BACKENDS:
        started = time.perf_counter()
        models[backend] = load_backend(folder, backend)
        taken = time.perf_counter() - started
        task = st.load_task(folder, models["torch"])
        found = st.evaluate(models[backend], task, records, title=backend)
        said[backend] = found.predictions
        same = sum(ours == theirs for ours, theirs in zip(said[backend], said["torch"], strict=True))
        file = folder / ONNX_FILES.get(backend, "slim.safetensors")
        rows.append(
            {
                "backend": backend,
                **found.summary(),
                "same_answer": same / found.count,
                "relative_difference": exported[backend].relative_difference if backend in exported else 0.0,
                "bytes": file.stat().st_size,
                "load_s": taken,
                "latency": [],
            }
        )
    for batch, count in zip_longest(batches, repeats[: len(batches)], fillvalue=repeats[-1]):
        inputs = {name: value for name, value in task.collate(records[:batch]).items() if name != "labels"}
        times = st.compare_latency(models, inputs, count, title=f"batch {batch}")
        for row in rows:
            size = {"image": list(inputs["pixel_values"].shape[-2:]), "text": inputs["input_ids"].shape[-1]}
            row["latency"].append({"batch": batch, **size, **times[row["backend"]].to_dict()})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/easy-vqa-demo"), help="directory of a finished run")
    parser.add_argument("--records", type=int, default=None, help="only the first so many")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--repeats", type=int, nargs="+", default=[50, 10], help="one for every batch size")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "onnx.json")
    options = parser.parse_args()
    keep_freed_memory()
    if not (options.run / "slim").is_dir():
        raise SystemExit(f"{options.run}: no finished run; make it with skiptune run easy-vqa-demo")
    recipe = st.read_recipe(str(options.run / "recipe.json"), (), str(options.run))
    data = st.Run(recipe).data
    part = "test" if len(data.test) else "validation"
    records = list(data.test if part == "test" else data.validation)[: options.records]
    with tempfile.TemporaryDirectory() as temporary:
        slim = st.load(options.run / "slim")
        both = st.export(slim, Path(temporary) / "both", task=st.load_task(options.run / "slim", slim))
        rows = measure(st.export_onnx(both, int8=True), records, options.batches, options.repeats)
    content = {
        "rows": rows,
        "model": {"recipe": recipe.model, "task": recipe.task, "plan": read_json(options.run / "plan.json")["skipped"]},
        "part": part,
        "threads": torch.get_num_threads(),
        "command": shlex.join(["python", "benchmarks/onnx_accuracy.py", *sys.argv[1:]]),
        "versions": versions(),
    }
    write_json(options.output, content)
    for row in rows:
        times = "  ".join(
            f"batch {entry['batch']} {entry['median_s'] * 1e3:.2f} ms [{entry['p10_s'] * 1e3:.2f}, "
            f"{entry['p90_s'] * 1e3:.2f}] {entry['ratio']:.2f}×"
            for entry in row["latency"]
        )
        print(
            f"{row['backend']:<10}{headline(row):8.2%}  same answer {row['same_answer']:.2%}  "
            f"{row['bytes'] / 2**20:5.1f} MiB  {times}"
        )


def headline(row: dict[str, Any]) -> float:
    """The task's headline, which comes first."""
    return float(list(row.values())[1])


if __name__ == "__main__":
    main()
