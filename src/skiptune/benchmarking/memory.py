"""Load time and memory of one model, in a fresh process, where nothing else counts.

    python -m skiptune.benchmarking.memory 'MODEL' '{"batch_sizes": [1], ...}'

prints them as JSON. On a CPU these are resident bytes above what the process held before the model was loaded, and
their peaks (Linux: ``VmHWM``, which unlike ``ru_maxrss`` does not start with the parent's); on a GPU those that torch
allocated. Files are in the system's cache, because the benchmark has just read them.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import subprocess
import sys
import time
from pathlib import Path

import torch

from ..core.errors import InputError, RunError
from ..core.process import resident_bytes
from ..costs.block_costs import passes_of
from ..costs.example_inputs import example_inputs
from ..models.architectures import ARCHITECTURES
from .bench_config import DTYPES
from .bench_models import Builder, parse_model
from .bench_result import BenchSettings, ModelMemory

_CLEAR = Path("/proc/self/clear_refs")


def measure_alone(text: str, settings: BenchSettings) -> ModelMemory:
    """Load time and memory of the model that ``text`` names, as :func:`parse_model` reads it.

    Raises:
        RunError: the process failed; the message is its last line.
    """
    command = [sys.executable, "-m", "skiptune.benchmarking.memory", text, json.dumps(settings.to_dict())]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr.strip() or "it was killed; not enough memory?").splitlines()[-1]
        raise RunError(f"{text}: could not be measured in a process of its own: {said}")
    return ModelMemory.from_dict(json.loads(done.stdout.splitlines()[-1]))


def _measure(text: str, settings: BenchSettings) -> ModelMemory:
    torch.set_num_threads(settings.threads)
    on_gpu, spec = settings.device == "cuda", parse_model(text)
    if on_gpu:
        torch.cuda.init()  # type: ignore[no-untyped-call]

    def held(peak: bool = False) -> int | None:
        if on_gpu:
            return torch.cuda.max_memory_allocated() if peak else torch.cuda.memory_allocated()
        return resident_bytes(peak)

    before = held()
    started = time.perf_counter()
    builder = Builder(settings.labels, DTYPES[settings.dtype], settings.device)
    model = builder.build(spec)
    builder.prepare(spec, model)
    del builder
    load_s = time.perf_counter() - started
    load_peak = _above(held(peak=True), before)
    _let_go()
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    loaded, peaks, first = _above(held(), before), {}, passes_of(model, decodes=False)[0]
    for batch in sorted(settings.batch_sizes):  # a peak holds for what came before too
        with torch.inference_mode():
            first(**example_inputs(model, settings.image_size, settings.text_length, batch))
        peaks[str(batch)] = _above(held(peak=True), before)
    known = spec.source not in ARCHITECTURES  # random weights were drawn, so there is no load time
    return ModelMemory(
        model=text,
        load_s=load_s if known else None,
        load_peak_bytes=load_peak if known else None,
        loaded_bytes=loaded,
        peak_bytes=peaks,
    )


def _let_go() -> None:
    """Return freed memory to the system, and reset peaks where that is possible."""
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
        with contextlib.suppress(OSError):
            _CLEAR.write_text("5", encoding="ascii")


def _above(value: int | None, before: int | None) -> int | None:
    return None if value is None or before is None else value - before


if __name__ == "__main__":
    from ..core.process import quiet_libraries

    quiet_libraries()
    try:
        found = _measure(sys.argv[1], BenchSettings.from_dict(json.loads(sys.argv[2])))
        print(json.dumps(found.to_dict()))
    except InputError as problem:
        sys.exit(str(problem))
