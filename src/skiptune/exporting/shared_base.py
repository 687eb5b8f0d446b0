"""Many tasks on one base: the frozen weights are in memory once, every task adds its adapters and its head.

Each task has its own tree of modules, whose frozen parameters are the base's own objects. Changing the task is a
dictionary look-up: nothing is switched, copied or rebuilt, and threads may use different tasks at the same time.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from ..core.arguments import expect
from ..core.errors import InputError
from ..core.validation import nearest
from ..families.family import Family
from ..models.construction import unsaid
from ..models.loading import load_family, load_model
from ..predicting.predict import predict
from ..predicting.questions import Asked
from ..predicting.results import Prediction
from ..tasks.task import Task
from .hub import local_folder
from .load import open_export
from .load_task import load_task
from .manifest import Manifest, is_slim
from .shared_weights import slim_on_shared

_PROCESSOR_ENDINGS = (".json", ".txt", ".model")
#: Alignment of torch's own memory. At other addresses, as in a memory-mapped file, some kernels round differently.
_ALIGNMENT = 64


@dataclass(frozen=True)
class _Attached:
    """A task's model, and the task itself; ``None``: exported without one."""

    model: PreTrainedModel
    task: Task | None
    folder: Path


class SharedBase:
    """The frozen weights of a pre-trained model, with any number of slim models attached to them by name.

    ``base["kitchen"]`` is a model in evaluation mode, called like the result of :func:`skiptune.load`. With
    bottleneck adapters its outputs are the same, bit for bit. LoRA cannot be merged into weights that other tasks use:
    it is added at every call, and outputs agree to rounding. ``name in base``, ``list(base)`` and ``len(base)`` work as
    for a dictionary. Models share their frozen parameters, so do not train or move one of them; use :meth:`to`.

    Args:
        name: of the base: an embedded name, a directory or a hub id.

    Raises:
        InputError: there is no such model, or it is a slim one.
    """

    def __init__(self, name: str | Path) -> None:
        expect("SharedBase", name=(name, (str, Path)))
        self.name = str(name)
        if is_slim(self.name):
            raise InputError(f"{self.name}: a slim model, whose skipped blocks are gone; name the base it belongs to")
        self.family = load_family(self.name)
        model, body = _any_model(self.name, self.family), self.family.body_prefixes
        self._weights = {name: value for name, value in model.named_parameters() if name.startswith(body)}
        for value in self._weights.values():
            if value.data_ptr() % _ALIGNMENT:
                value.data = value.data.clone()
        self._buffers = {name: value for name, value in model.named_buffers() if name.startswith(body)}
        self._attached: dict[str, _Attached] = {}
        self._changes = threading.RLock()
        self._processors: dict[str, Any] = {}

    @property
    def device(self) -> torch.device:
        """Where the base and all tasks are."""
        device: torch.device = next(iter(self._weights.values())).device
        return device

    @property
    def nbytes(self) -> int:
        """Bytes of the base's weights, shared by all tasks."""
        return sum(value.nbytes for value in (*self._weights.values(), *self._buffers.values()))

    def attach(self, name: str, directory: str | Path) -> PreTrainedModel:
        """Add the slim model in ``directory`` under ``name``, and return it.

        Its frozen weights are those of the base; only adapters, head and small parts are read. Both forms of
        :func:`skiptune.export` work, except a stand-alone one with merged LoRA or folded skip adapters. Other threads
        may use attached tasks, attach others, load models and train meanwhile.

        Raises:
            InputError: the name is taken; not a slim model, or damaged files; one of another family, with other sizes,
                or trained on another base; merged LoRA, folded skip adapters.
        """
        expect("SharedBase.attach", name=(name, str), directory=(directory, (str, Path)))
        folder = local_folder(directory)
        with self._changes:
            if name in self:
                taken = self._attached[name].folder
                raise InputError(f"{name!r}: already attached, from {taken}; detach it first, or choose another name")
            manifest, weights = open_export(folder, verify=True)
            try:
                self._refuse_unfit(manifest)
                model = slim_on_shared(manifest, weights, self._weights, self._buffers, self.name)
            except InputError as error:
                raise InputError(f"slim model {folder}: {error}") from None
            task = None if manifest.task is None else self._task(folder, model)
            self._attached[name] = _Attached(model, task, folder)
        return model

    def detach(self, name: str) -> None:
        """Remove a task. Its own weights are freed when no other reference to its model exists.

        Raises:
            InputError: there is no such task.
        """
        with self._changes:
            self._find(name)
            del self._attached[name]

    def __getitem__(self, name: str) -> PreTrainedModel:
        """The model of a task.

        Raises:
            InputError: there is no such task.
        """
        return self._find(name).model

    def __contains__(self, name: object) -> bool:
        return name in self._attached

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._attached))

    def __len__(self) -> int:
        return len(self._attached)

    def __repr__(self) -> str:
        tasks = ", ".join(f"{name} {self.own_nbytes(name) / 2**20:.1f} MiB" for name in self) or "none"
        return f"SharedBase({self.name!r}, {self.nbytes / 2**20:.1f} MiB, tasks: {tasks})"

    def task(self, name: str) -> Task:
        """The task of an attached model, with its processor, e.g. for :func:`skiptune.evaluate`.

        Raises:
            InputError: there is no such task, or it was exported without one.
        """
        attached = self._find(name)
        return load_task(attached.folder, attached.model) if attached.task is None else attached.task

    def answer(self, name: str, image: Asked, text: str, top: int = 5, image2: Asked | None = None) -> Prediction:
        """Answer a question with one task, as :func:`skiptune.predict`. May be called from several threads at once.

        Raises:
            InputError: there is no such task, it was exported without one, or as :func:`skiptune.predict`.
        """
        return predict(self[name], self.task(name), image, text, top, image2)

    def own_nbytes(self, name: str) -> int:
        """Bytes of the weights that a task does not share with the base.

        Raises:
            InputError: there is no such task.
        """
        shared = {id(value) for value in (*self._weights.values(), *self._buffers.values())}
        model = self[name]
        return sum(value.nbytes for value in (*model.parameters(), *model.buffers()) if id(value) not in shared)

    def to(self, device: str | torch.device) -> SharedBase:
        """Move the base and all tasks, which still share it; returns ``self``.

        Not while other threads use the tasks.
        """
        moved: dict[int, tuple[Tensor, Tensor]] = {}  # with the old ones, lest others get their ids

        def move(value: Any) -> Any:
            if id(value) not in moved:
                copy = value.to(device)
                moved[id(value)] = value, nn.Parameter(copy, False) if isinstance(value, nn.Parameter) else copy
            return moved[id(value)][1]

        with self._changes:
            self._weights = {name: move(value) for name, value in self._weights.items()}
            self._buffers = {name: move(value) for name, value in self._buffers.items()}
            for attached in self._attached.values():
                for module in attached.model.modules():
                    for tensors in (module._parameters, module._buffers):
                        _replace(tensors, move)
        return self

    def _find(self, name: str) -> _Attached:
        found = self._attached.get(name)
        if found is None:
            raise InputError(f"{name!r}: no such task{nearest(name, self)}" if len(self) else "no task is attached yet")
        return found

    def _refuse_unfit(self, manifest: Manifest) -> None:
        if manifest.family is not self.family:
            raise InputError(f"of family {manifest.family.name}; {self.name} is a base of family {self.family.name}")
        if manifest.form == "standalone" and manifest.skip_config.block_adapter == "lora":
            raise InputError("LoRA is merged into its weights, so it has none to share; export it with form='adapters'")
        if manifest.form == "standalone" and manifest.skip_config.skip_adapter == "folded":
            raise InputError(
                "skip adapters are folded into its weights, so these are not the base's; export it with form='adapters'"
            )

    def _task(self, folder: Path, model: PreTrainedModel) -> Task:
        """The task saved in ``folder``, with the processor of an earlier one if its files are the same."""
        digest = hashlib.sha256()
        for path in sorted(folder.iterdir()):
            if path.suffix in _PROCESSOR_ENDINGS and path.name != "config.json":
                digest.update(f"{path.name}|{path.stat().st_size}|".encode() + path.read_bytes())
        found = load_task(folder, model)
        processor = self._processors.setdefault(digest.hexdigest(), found.processor)
        task = found.with_processor(processor)
        task.images.memory_limit = 0  # every question has another image, so a cache is useless
        task.tokenize(["?"])  # sets padding and truncation, which tokenizers must not do while another thread uses them
        return task


def _any_model(name: str, family: Family) -> PreTrainedModel:
    """A model with the body of ``name`` and any head, which is not used; nothing is printed about it."""
    with unsaid():
        return load_model(name, family.model_class("vqa"), quiet=True).requires_grad_(False)


def _replace(tensors: dict[str, Tensor | None], move: Callable[[Tensor], Tensor]) -> None:
    """Put ``move`` of every tensor in its place."""
    for name, value in tensors.items():
        tensors[name] = None if value is None else move(value)
