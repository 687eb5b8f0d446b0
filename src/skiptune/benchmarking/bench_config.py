"""Settings of a benchmark."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field, field_validator

from ..core.validated import Count, Number, Pair, Several, Validated
from ..core.validation import LARGEST

Dtype = Literal["float32", "bfloat16", "float16"]
DTYPES: dict[Dtype, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class BenchConfig(Validated):
    """Settings of a benchmark.

    Attributes:
        repeats: timed rounds; in each, every model runs once. ``None``: as many as there is time for, at most 30.
        seconds: without ``repeats``, the time for all batch sizes. One that would take longer is left out, except for
            the smallest.
        warmup: rounds before them that are not timed.
        batch_sizes: examples per batch; each size is a benchmark of its own.
        image_size: (height, width) in pixels; ``None``: the first model's own.
        text_length: tokens; ``None``: the first model's own.
        threads: of torch; ``None``: as many as torch takes.
        dtype: of weights and images.
        device: ``cpu`` or ``cuda``, timed there by events.
        labels: answers of the head of a model that is not slim.
        decode: of models that generate text, time the step of one token after the prompt, with a real cache that grows
            by it, instead of the prefill.
        memory: also load every model in a process of its own, for load time and memory.
    """

    repeats: int | None = Field(default=None, ge=2, le=LARGEST)
    seconds: Number = Field(default=60, gt=0, le=LARGEST)
    warmup: int = Field(default=3, ge=0, le=LARGEST)
    batch_sizes: Several[Count] = Field(default=(1,), min_length=1)
    image_size: Pair[Count] | None = None
    text_length: Count | None = None
    threads: Count | None = None
    dtype: Dtype = "float32"
    device: Literal["cpu", "cuda"] = "cpu"
    labels: int = Field(default=3129, ge=2, le=LARGEST)
    decode: bool = False
    memory: bool = True

    @field_validator("device")
    @classmethod
    def _is_there(cls, device: str) -> str:
        if device == "cuda" and not torch.cuda.is_available():
            raise ValueError("there is no GPU that torch can use; take 'cpu'")
        return device
