"""How models are measured."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..config import Config
from ..core.validation import Problems, is_number, nearest

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class BenchConfig(Config):
    """How models are measured.

    Attributes:
        batch_sizes: rows of a batch; each is a benchmark of its own.
        image_size: (height, width) in pixels; ``None``: the first model's own.
        text_length: tokens; ``None``: the first model's own.
        repeats: rounds that count; in each, every model takes its turn.
        warmup: rounds before that do not.
        threads: of torch; ``None``: as many as torch takes.
        dtype: of weights and images.
        device: ``cpu`` or ``cuda``, timed there by events.
        labels: answers of the head of a model that is not slim.
        memory: also load every model in a process of its own, for load time and memory.
    """

    batch_sizes: tuple[int, ...] = (1,)
    image_size: tuple[int, int] | None = None
    text_length: int | None = None
    repeats: int = 20
    warmup: int = 3
    threads: int | None = None
    dtype: str = "float32"
    device: str = "cpu"
    labels: int = 3129
    memory: bool = True

    def validate(self, problems: Problems) -> None:
        for name, low in (("repeats", 2), ("warmup", 0), ("labels", 2)):
            value = getattr(self, name)
            problems.check(is_number(value, low, whole=True), f"{name}: {value!r} is not a whole number ≥ {low}")
        for name in ("threads", "text_length"):
            value = getattr(self, name)
            problems.check(value is None or is_number(value, 1, whole=True), f"{name}: {value!r} is not ≥ 1 or null")
        sizes = self.batch_sizes
        fine = len(sizes) > 0 and all(is_number(size, 1, whole=True) for size in sizes)
        problems.check(fine, f"batch_sizes: {sizes!r} are not whole numbers ≥ 1")
        problems.check(self.dtype in DTYPES, f"dtype: {self.dtype!r}{nearest(str(self.dtype), DTYPES)}")
        known = self.device in ("cpu", "cuda")
        problems.check(known, f"device: {self.device!r}{nearest(str(self.device), ('cpu', 'cuda'))}")
        if self.device == "cuda":
            problems.check(torch.cuda.is_available(), "device: there is no GPU that torch can use; take 'cpu'")
