"""Files of answers: as fast as the bare model, in flat memory, and alike after kills.

    python benchmarks/predict_file.py [--rows 4096] [--rounds 7] [--memory-rows 100000] [--kills 20]

``throughput``: rows a second of ``Pipeline.predict_file`` at batch 32, from image files to a synced file, over those of
the model's forward on tensors that are ready, the same batches in the same order; in turns, ``ratio`` round by round.
The model is that of the demo (``vilt-scenes``, LoRA merged, 4 of 12 blocks skipped), adapters untrained.
Rows are easy-VQA's, several to an image, and ``photographs``: a JPEG of 640 × 480 pixels for every row.
``preparing_s`` is the processor time that reading, decoding and encoding of a row takes by themselves, ``forward_s``
that of the forward.

``memory``: resident bytes of a process when a tenth, a half and all of the rows are answered, by ``vilt-tiny``.

``kills``: a command that is killed so often while it answers, and the SHA-256 of its file beside that of one without.
"""

from __future__ import annotations

import argparse
import json
import random
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import skiptune as st
from skiptune.core.files import file_sha256, write_json
from skiptune.core.process import keep_freed_memory, resident_bytes, versions
from skiptune.core.progress import without_bars
from skiptune.data.records import Records
from skiptune.predicting.files.answer_job import AnswerJob
from skiptune.predicting.files.answer_output import AnswerOutput
from skiptune.predicting.files.answer_part import answer_parts
from skiptune.predicting.files.answered_row import text_of_rows
from skiptune.predicting.files.asked_rows import AskedRows
from skiptune.predicting.files.asking import Asking, Preparing
from skiptune.predicting.files.part import all_parts
from skiptune.predicting.files.predict_file import predict_file, write_answers
from skiptune.predicting.files.prepared_batch import PartPlan, PreparedBatch

BATCH = 32


def slim_model(folder: Path, name: str, skipped: int) -> st.Pipeline:
    """An exported model for easy-VQA, adapters untrained."""
    task = st.Vqa.from_records(st.load_processor(name), st.read_easy_vqa("train").items)
    model = st.load_model(name, task.model_class, **task.model_changes())
    st.insert(model, st.SkipConfig(block_adapter="lora"))
    st.choose(model, list(st.blocks_of(model))[:skipped])
    st.export(model, folder, task=task)
    return st.pipeline(folder, batch_size=BATCH)


def photographs(folder: Path, count: int) -> Records:
    """As many JPEG files as rows."""
    draw = np.random.default_rng(0)
    folder.mkdir()
    rows = []
    for number in range(count):
        small = Image.fromarray(draw.integers(0, 255, (12, 16, 3), dtype=np.uint8))
        small.resize((640, 480), Image.Resampling.BICUBIC).save(folder / f"{number}.jpg", quality=85)
        rows.append(st.Record(folder / f"{number}.jpg", "what shape does the image contain?"))
    return Records.of(rows)


@torch.inference_mode()
def throughput(pipe: st.Pipeline, records: Records, rounds: int, folder: Path, workers: int) -> dict[str, Any]:
    """Rows a second of both in turns, and their ratio."""
    asked, asking = AskedRows(records), Asking.usual(1, BATCH, False)
    parts, task = all_parts(len(asked), asking.part_rows), pipe.task.reporting(None)
    task.cut_texts_for(pipe.model)
    started = time.process_time()
    plans = [PartPlan.of(asked, part, task, asking, Preparing(0)) for part in parts]
    ready = [PreparedBatch.of(plan, batch, False).inputs for plan in plans for batch in plan.batches]
    preparing = (time.process_time() - started) / len(asked)
    found: dict[str, list[float]] = {"bare": [], "file": []}
    forward = []
    for number in range(rounds + 1):  # the first warms up
        began, used = time.perf_counter(), time.process_time()
        for inputs in ready:
            pipe.model(**inputs)
        bare, used = time.perf_counter() - began, time.process_time() - used
        began = time.perf_counter()
        with without_bars():
            output = AnswerOutput(folder / f"{number}.jsonl", force=True)
            predict_file(pipe.model, pipe.task, asked, output, asking, Preparing(workers))
        if number:
            found["bare"].append(len(asked) / bare)
            found["file"].append(len(asked) / (time.perf_counter() - began))
            forward.append(used / len(asked))
    ratios = [file / bare for file, bare in zip(found["file"], found["bare"], strict=True)]
    return {
        "rows": len(asked),
        "images": len(records.pictures()),
        "workers": workers,
        "rows_per_second": {name: float(np.median(values)) for name, values in found.items()},
        "ratio": {"median": float(np.median(ratios)), "least": min(ratios), "most": max(ratios)},
        "preparing_s": preparing,
        "forward_s": float(np.median(forward)),
    }


def memory(folder: Path, rows: int) -> dict[str, Any]:
    """Of a process of its own."""
    data = write_rows(folder / "memory.jsonl", rows)
    script = [sys.executable, __file__, "--measure-memory", str(folder), str(data)]
    done = subprocess.run(script, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure_memory(folder: Path, data: Path) -> None:
    keep_freed_memory()
    pipe = st.pipeline(folder / "tiny", batch_size=BATCH)
    records = st.read_jsonl(data, folder / "pictures", require_answers=False)
    asked, asking = AskedRows(records), Asking.usual(1, BATCH, False)
    marks = {round(share * len(asked)): share for share in (0.1, 0.5, 1.0)}
    found: dict[str, int] = {}
    done = 0

    def answer(parts: Any, advance: Any) -> Any:
        nonlocal done
        for part, answered in answer_parts(pipe.model, pipe.task, asked, parts, asking, Preparing(1)):
            done += len(part)
            for mark in [mark for mark in marks if mark <= done]:
                found[f"{marks.pop(mark):.0%}"] = resident_bytes() or 0
            yield part, text_of_rows(answered)

    with without_bars():
        write_answers(
            AnswerJob.of(pipe.model, pipe.task, asked, asking), AnswerOutput(folder / "memory-out.jsonl"), answer
        )
    print(json.dumps({"rows": len(asked), "resident_bytes": found, "peak_bytes": resident_bytes(peak=True)}))


def write_rows(path: Path, rows: int) -> Path:
    """Questions about 1,000 pictures, each with an id."""
    pictures = path.parent / "pictures"
    if not pictures.is_dir():
        pictures.mkdir()
        draw = np.random.default_rng(0)
        for number in range(1000):
            Image.fromarray(draw.integers(0, 255, (48, 48, 3), dtype=np.uint8)).save(pictures / f"{number}.png")
    questions = ("what shape is there?", "what colour is the shape?", "is there a circle?")
    with path.open("w", encoding="utf-8") as file:
        for row in range(rows):
            content = {"id": f"q{row}", "image": f"{row // 5 % 1000}.png", "question": questions[row % 3]}
            file.write(json.dumps(content) + "\n")
    return path


def kills(folder: Path, wanted: int, rows: int) -> dict[str, Any]:
    """Kill the command so often, then let it end."""
    data, draw = write_rows(folder / "kills.jsonl", rows), random.Random(0)

    def command(name: str) -> subprocess.Popen[bytes]:
        options = ["--images", str(folder / "pictures"), "--output", str(folder / name), "--batch-size", "8"]
        line = [sys.executable, "-m", "skiptune.cli", "predict", str(folder / "tiny"), "--data", str(data), *options]
        return subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    fell, parts = 0, []
    while fell < wanted:
        before = len(list((folder / "killed.csv.parts").glob("part-*")))
        running = command("killed.csv")
        while running.poll() is None and len(list((folder / "killed.csv.parts").glob("part-*"))) <= before:
            time.sleep(0.02)
        time.sleep(draw.uniform(0, 0.5))
        if running.poll() is None:
            running.kill()
            fell += 1
        running.wait()
        parts.append(len(list((folder / "killed.csv.parts").glob("part-*"))))
        if (folder / "killed.csv").exists():
            break
    for name in ("killed.csv", "whole.csv"):
        if not (folder / name).exists():
            command(name).wait()
    digests = {name: file_sha256(folder / f"{name}.csv") for name in ("killed", "whole")}
    return {"rows": rows, "kills": fell, "parts_after_each": parts, "sha256": digests}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--memory-rows", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--measure-memory", nargs=2, type=Path, default=None, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "predict_file.json")
    options = parser.parse_args()
    if options.measure_memory is not None:
        measure_memory(*options.measure_memory)
        return
    keep_freed_memory()
    results: dict[str, Any] = {
        "command": shlex.join(["python", "benchmarks/predict_file.py", *sys.argv[1:]]),
        "threads": torch.get_num_threads(),
        "versions": versions(),
    }
    with tempfile.TemporaryDirectory() as held:
        folder = Path(held)
        if options.rounds:
            pipe = slim_model(folder / "slim", "vilt-scenes", 4)
            sets = {"easy-vqa": st.read_easy_vqa("test")[: options.rows]}
            sets["photographs"] = photographs(folder / "photographs", options.rows // 4)
            results["throughput"] = {
                name: throughput(pipe, records, options.rounds, folder, options.workers)
                for name, records in sets.items()
            }
            print(json.dumps(results["throughput"], indent=2))
        slim_model(folder / "tiny", "vilt-tiny", 2)
        if options.memory_rows:
            results["memory"] = memory(folder, options.memory_rows)
            print(json.dumps(results["memory"], indent=2))
        if options.kills:
            results["kills"] = kills(folder, options.kills, 40_000)
            print(json.dumps(results["kills"], indent=2))
    write_json(options.output, results)


if __name__ == "__main__":
    main()
