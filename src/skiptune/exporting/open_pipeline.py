"""Open a slim model with its task, ready to be asked."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ..core.arguments import expect
from ..core.errors import InputError
from ..core.process import best_device, usable_device
from ..predicting.pipeline import Pipeline
from ..predicting.predict import BATCH
from ..tasks.task import Task
from .backends import load_backend
from .load_task import load_task
from .slim_folder import slim_folder


def pipeline(
    source: str | Path | nn.Module,
    task: Task | None = None,
    *,
    backend: str | None = None,
    base: str | None = None,
    device: str | None = None,
    batch_size: int = BATCH,
) -> Pipeline:
    """A model with its task, which answers: ``st.pipeline("slim")("kitchen.jpg", "what is on the table?")``.

    Args:
        source: a slim directory, one with an ONNX model, a run's directory or a hub id; or a model.
        task: of a model; ``None`` for a directory, which has its own.
        backend: of a directory: ``torch``, ``onnx`` or ``onnx-int8``; ``None``: the first of them that it holds.
        base: of a directory of the form ``adapters``: another place of its base model.
        device: where to put the model; ``None``: a directory's on the best there is, a model stays where it is.
        batch_size: how many questions the model gets at a time.

    Raises:
        InputError: an argument of another type or that does not go with the source, no slim model, damaged files, or
            one that was exported without a task, or no such device.
    """
    expect("pipeline", source=(source, (str, Path, nn.Module)), task=(task, (Task, type(None))))
    place = None if device is None else usable_device(device)
    if isinstance(source, nn.Module):
        if task is None:
            raise InputError("task: a model needs its task, e.g. that of skiptune.load_task(folder, model)")
        if backend is not None or base is not None:
            raise InputError("backend, base: for a directory; this model is loaded already")
        found = Pipeline(source, task, batch_size)
        return found if place is None else found.to(place)
    folder = slim_folder(str(source))
    model = load_backend(folder, backend, base)
    saved = load_task(folder, model) if task is None else task
    return Pipeline(model.to(place or best_device()), saved, batch_size)
