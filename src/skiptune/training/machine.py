"""What a training needs of the machine and of installed libraries, and what it runs on."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import torch
from transformers import TrainingArguments

from ..config import TrainConfig
from ..core.distributed import processes
from ..core.errors import InputError
from ..core.formatting import counted
from ..core.number_types import fast_type
from ..core.progress import say_once
from ..core.validation import Problems, problem_lines
from .optimizer import optimizer_class
from .schedule import Stretch, make_scheduler
from .trainer_arguments import training_arguments

#: Modules of what a training can report to, of which one must be there, and the distribution where it has another name.
#: Making transformers' callback would tell, too, but not quietly.
_LIBRARIES = {
    "azure_ml": ("azureml.core", "azureml-core"),
    "comet_ml": ("comet_ml", "comet-ml"),
    "flyte": ("flytekit", "flytekit"),
    "tensorboard": ("tensorboard tensorboardX", "tensorboard"),
}


def check_machine(config: TrainConfig) -> None:
    """Refuse settings that cannot work here, before any work.

    Raises:
        InputError: float16 without a GPU, a library that is not installed, or settings that the optimizer, the schedule
            or the Trainer refuse; all in one message.
    """
    problems = Problems("this training cannot run here")
    for line in _lines(config):
        problems.add(line)
    problems.raise_any()


def _lines(config: TrainConfig) -> Iterator[str]:
    for name in config.report_to:
        modules, distribution = _LIBRARIES.get(name, (name, name))
        if not any(map(_is_installed, modules.split())) and name != "kubeflow":  # which is a service
            yield f"train.report_to: {name} is not installed; run: pip install {distribution}"
    try:
        given = config.replace(report_to=())
        arguments = training_arguments(given, Path("checkpoints"), Stretch(0, 1, 1, 0.0), metric="loss")
    except (ImportError, TypeError, ValueError) as error:
        yield f"train.arguments: transformers refuses them: {error}"
        return
    if config.fp16 and arguments.device.type == "cpu":
        yield "train.fp16: float16 needs a GPU, and this training runs on the CPU; use bf16, or leave it out"
    try:
        kind, settings = optimizer_class(arguments)
        make_scheduler(kind([torch.zeros(1, requires_grad=True)], **settings), arguments, Stretch(0, 1, 1, 0.0))
    except InputError as error:
        yield from problem_lines(error)


def _is_installed(module: str) -> bool:
    try:
        found = find_spec(module)
    except ModuleNotFoundError:  # what it is a part of
        return False
    return found is not None and found.origin is not None  # a directory of that name is none


def tell_machine(arguments: TrainingArguments) -> None:
    """Print, once, what a training runs on: device, precision, memory and processes."""
    device, number = arguments.device, processes()
    precision = "bfloat16" if arguments.bf16 else "float16" if arguments.fp16 else "float32"
    if device.type == "cuda":
        memory = torch.cuda.get_device_properties(device).total_memory
        name = torch.cuda.get_device_name(device)
    else:
        memory, name = psutil.virtual_memory().total, f"{device.type.upper()} ({platform.machine()})"
    threads = "" if device.type == "cuda" else f", {counted(torch.get_num_threads(), 'threads')}"
    where = f"{name}{threads}, {precision}, {memory / 2**30:.1f} GiB of memory"
    say_once(f"training on {where}, {counted(number, 'processes')}")
    if arguments.bf16 and fast_type(device) is torch.float32:
        say_once("bf16: this processor has no instructions for it, so it is slower than float32; leave it out")
