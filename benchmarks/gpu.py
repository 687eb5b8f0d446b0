"""Latency, throughput, training steps and tests on a machine with a CUDA GPU, in one run of a few minutes.

    python benchmarks/gpu.py [--minutes 8] [--models vilt meter llava] [--batches 1 8 64] [--dtypes bfloat16 float32]
        [--saved 0.55] [--tf32] [--device cpu --tiny]

Random weights. ViLT-B/32 at 384 x 640, METER at 384 x 384, and a LLaVA with 576 image tokens of a CLIP ViT-L/14 before
a decoder of about 1.2 billion parameters; of the LLaVA the prefill, and a decode step with a growing cache. ``blocks``
skips every third block, ``both`` also lets image tokens become fewer so that ``--saved`` of the operations is saved;
both are slim, with LoRA merged. ``whole`` (ViLT) is ours with nothing skipped. Each runs as it is and as a CUDA graph
(``graph``), all in turns in one process, timed by events; a graph's time has the copy of its inputs in it. ``speedup``
is the time of the original, not as a graph, over the row's in the same round, ``same_way`` that of the original run in
the same way (of ViLT's graphs: of ``whole``, because the original's reads numbers back), ``arithmetic`` the ratio of
their operations at batch 1. A training step is with bottleneck adapters, in float32 and with bfloat16 autocast, with
nothing and with a third of the blocks skipped.

Every section has its share of ``--minutes``. A part that does not fit is written as skipped, with the reason; run the
same command again to measure what is missing. Out of memory is told in the row. Then the tests in ``tests/cuda`` run.
Float32 is without TF32 unless ``--tf32`` is given. Writes ``benchmarks/results/gpu.json``.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.etree import ElementTree

import torch

from gpu_latency import faster, measured
from gpu_models import CASES, TINY, Case, Form, Variant, forms, inputs_for, made, variants
from gpu_record import Clock, Record, let_go, machine
from gpu_training import Step, timed_steps, trained
from skiptune.core.process import keep_freed_memory, quiet_libraries
from skiptune.costs.latency import spread

ROOT = Path(__file__).resolve().parent.parent
#: Parts of the time.
SHARES = {"vilt": 0.16, "meter": 0.2, "llava": 0.3, "training": 0.16, "tests": 0.18}
TRAINED = ("vilt", "meter")
TESTS = ("tests/cuda", "tests/exporting/test_shared_base.py::test_on_a_gpu")
LEAST, SHORTEST = 8.0, 2.0  # seconds to begin a model with, and a batch size of it
ROUNDS = 6  # as many as preparing and timing a batch size take together, at least


def latency(key: str, options: argparse.Namespace, record: Record, clock: Clock) -> None:
    """All parts of one model."""
    case, known = (TINY if options.tiny else CASES)[key], dict[str, Form]()
    for number, dtype in enumerate(options.dtypes):
        wanted = {f"{key} {dtype} batch {batch}": batch for batch in options.batches}
        wanted = {part: batch for part, batch in wanted.items() if record.wants(part)}
        if clock.left(key) < LEAST:
            for part in wanted:
                record.skip(part, "no time was left")
        elif wanted:
            ends = time.time() + clock.left(key) / (len(options.dtypes) - number)
            with record.telling(f"{key} {dtype}"):
                original = made(case, getattr(torch, dtype), options.device)
                known = known or forms(case, original, options.saved)
                passes(case, variants(case, original, known), dtype, wanted, record, ends)
                del original
        let_go()


def passes(
    case: Case, models: dict[str, Variant], dtype: str, wanted: dict[str, int], record: Record, ends: float
) -> None:
    """The parts of one model and type of numbers, by batch size, until ``ends``."""
    original, each = models["original"].run, 0.0
    for place, (part, batch) in enumerate(wanted.items()):
        left, least = ends - time.time(), max(SHORTEST, ROUNDS * each * batch)
        if left < least:
            record.skip(part, f"{left:.0f} s were left, and it takes {least:.0f} s or more")
            continue
        with record.telling(part):
            inputs = inputs_for(case, getattr(original, "model", original), batch)
            rows = measured(models, inputs, left / (len(wanted) - place))
            record.put(part, image=list(case.image), text=case.text, batch=batch, dtype=dtype, rows=rows)
            show(part, rows)
            each = sum(row.get("median_s", 0.0) for row in rows) / batch
        let_go()


def training(options: argparse.Namespace, record: Record, clock: Clock) -> None:
    """Training steps."""
    every = [(key, dtype) for key in TRAINED if key in options.models for dtype in options.dtypes]
    wanted = {f"training {key} {dtype}": (key, dtype) for key, dtype in every}
    wanted = {part: pair for part, pair in wanted.items() if record.wants(part)}
    for place, (part, (key, dtype)) in enumerate(wanted.items()):
        left = clock.left("training")
        if left < LEAST:
            record.skip(part, "no time was left")
            continue
        with record.telling(part):
            step = Step((TINY if options.tiny else CASES)[key], dtype, options.train_batch, options.device)
            taken, peaks, failed = timed_steps(step, left / (len(wanted) - place) / 2)
            rows: list[dict[str, Any]] = [{"model": name, "failed": reason} for name, reason in failed.items()]
            for name, own in taken.items():
                speed = {"rounds": len(own), **faster("speedup", taken.get("whole"), own)}
                rows.append({"model": name, **spread(own), **speed, "peak_bytes": peaks[name]})
            record.put(part, batch=options.train_batch, dtype=dtype, trained=trained(step.model), rows=rows)
            show(part, rows)
            del step
        let_go()


def tests(record: Record, clock: Clock) -> None:
    """The tests that need a GPU, in a process of their own."""
    left = clock.left("tests")
    if not record.wants("tests"):
        return
    if left < LEAST:
        return record.skip("tests", "no time was left")
    with TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS, f"--junitxml={report}"]
        try:
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=left)
        except subprocess.TimeoutExpired:
            return record.skip("tests", f"not finished in the {left:.0f} s that were left")
        if not report.is_file():
            said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
            return record.skip("tests", f"pytest did not run: {said}")
        suite = next(ElementTree.parse(report).iter("testsuite"))
    counts = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
    bad = {
        f"{case.get('classname')}.{case.get('name')}": str(fault.get("message")).partition("\n")[0]
        for case in suite.iter("testcase")
        for fault in (*case.findall("failure"), *case.findall("error"))
    }
    record.put("tests", **counts, failed=bad, seconds=float(suite.get("time", 0)))
    print("tests", counts, *bad.items(), sep="\n  ", flush=True)


def show(part: str, rows: list[dict[str, Any]]) -> None:
    """Rows for people."""
    for row in rows:
        said = f"{part:<28}{row.get('pass', 'step'):<12}{row['model']:<14}{'graph' if row.get('graph') else '':<6}"
        if "failed" in row:
            print(f"{said}{row['failed']}", flush=True)
            continue
        speedup = "-" if row["speedup"] is None else f"{row['speedup']:.3f}"
        arithmetic = f"  arithmetic {row['arithmetic']:.3f}" if row.get("arithmetic") else ""
        print(f"{said}{row['median_s'] * 1e3:9.2f} ms  speedup {speedup}{arithmetic}", flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--models", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--batches", nargs="+", type=int)
    parser.add_argument("--dtypes", nargs="+", choices=("bfloat16", "float32"), default=["bfloat16", "float32"])
    parser.add_argument("--saved", type=float, default=0.55)
    parser.add_argument("--tf32", action="store_true")
    parser.add_argument("--train-batch", type=int)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="tiny models, to try the script itself")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "gpu.json")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("there is no CUDA GPU here; --device cpu --tiny tries the script without one")
    options.batches = options.batches or ([1, 2] if options.tiny else [1, 8, 64])
    options.train_batch = options.train_batch or (2 if options.tiny else 32)
    return options


def main() -> None:
    options = arguments()
    clock = Clock(options.minutes, SHARES)
    quiet_libraries()
    keep_freed_memory()
    torch.set_float32_matmul_precision("high" if options.tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = options.tf32
    own = vars(options).items()
    asked = {name: value for name, value in own if name not in ("output", "minutes")}
    command = shlex.join(["python", "benchmarks/gpu.py", *sys.argv[1:]])
    record = Record(options.output, {"machine": machine(options.device), "asked": asked})
    for key in options.models:
        latency(key, options, record, clock)
    training(options, record, clock)
    tests(record, clock)
    record.finish(command, clock.spent)


if __name__ == "__main__":
    main()
