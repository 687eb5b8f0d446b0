"""Held-out batches, and the loss of a model on them as its Trainer computes it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from accelerate.utils import send_to_device
from torch import Tensor, nn
from transformers import Trainer

from ..core.distributed import alike, processes, rank
from ..core.errors import InputError
from ..core.seeding import preserved_random_state
from ..experiment import Experiment
from ..training.dataset import RecordDataset
from ..training.fit import make_trainer
from ..training.schedule import Stretch
from ..training.trainer import SkipTrainer
from .loss_weights import own_mean, weight_of
from .trainer_refusals import refuse_unprepared

#: A batch as a data collator makes it: a mapping, whose values are tensors for the most part.
Batch: TypeAlias = Mapping[str, Any]


class HeldOut:
    """A held-out dataset behind a Trainer: its collator makes the batches, its ``compute_loss`` measures them.

    Batches rotate through the dataset, in an order that changes every pass and depends on the seed alone. A dataset
    with ``set_epoch`` is told the number of the pass.

    Args:
        trainer: whose model is evaluated.
        dataset: with a length and rows by number; or the name of one of the Trainer's evaluation datasets; ``None``:
            its evaluation dataset.
        seed: of the order.

    Raises:
        InputError: there is none, it is empty, has no length, is what the Trainer trains on, or is not prepared as
            that is.
    """

    def __init__(self, trainer: Trainer, dataset: Any, seed: int) -> None:
        named = dataset is None or isinstance(dataset, str)
        given = _own(trainer, dataset) if named else dataset
        if not (hasattr(given, "__len__") and hasattr(given, "__getitem__")):
            raise InputError(f"held_out: {type(given).__name__} has no rows by number; give a dataset that has them")
        if len(given) == 0:
            raise InputError("held_out: the dataset is empty; subnetworks are compared on it")
        if given is trainer.train_dataset:
            raise InputError("held_out: this is what the Trainer trains on; keep some examples apart")
        refuse_unprepared(given, trainer.train_dataset)
        loader = trainer.get_eval_dataloader(dataset) if named else trainer.get_test_dataloader(given)
        # of a datasets.Dataset, the Trainer's has the model's columns only
        self.rows, self.collate = loader.dataset, loader.collate_fn
        self.trainer, self.seed = trainer, seed

    @classmethod
    def of(cls, model: nn.Module, experiment: Experiment, folder: Path) -> HeldOut:
        """The held-out records of an experiment behind the Trainer that would train ``model``; nothing is trained.

        ``folder`` is the Trainer's; nothing is written there.
        """
        with preserved_random_state():
            trainer = make_trainer(model, experiment, Stretch(0, 1, 1, 0.0), folder)
        return cls(trainer, RecordDataset(experiment.valid), experiment.training.seed)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def model(self) -> nn.Module:
        """The Trainer's."""
        model: nn.Module = self.trainer.model
        return model

    @property
    def together(self) -> bool:
        """Whether all processes must compute their losses at the same time: a Trainer's may wait for those of the
        others. Our own does not."""
        return processes() > 1 and not isinstance(self.trainer, SkipTrainer)

    def own_pieces_of(self, rows: Sequence[int]) -> Iterator[tuple[float, Batch]]:
        """The pieces of some rows that this process takes; all take as many. A remainder of rows is left out; of fewer
        rows than processes, each takes all."""
        several = processes()
        even = len(rows) // several * several
        own = rows[:even][rank() :: several] or rows
        return self.pieces_of(own)

    def first(self, count: int) -> Iterator[tuple[float, Batch]]:
        """The first ``count`` rows, see :meth:`pieces_of`."""
        return self.pieces_of(range(count))

    def pieces_of(self, rows: Sequence[int], largest: int | None = None) -> Iterator[tuple[float, Batch]]:
        """The rows of these numbers, in pieces of at most ``largest``: as a micro-batch of the training.

        Each comes with its weight (:mod:`.loss_weights`): the mean of their losses with these is that of the rows.
        """
        examples = (self.rows[row] for row in rows)
        largest = largest or int(self.trainer.args.per_device_train_batch_size)
        while piece := list(islice(examples, largest)):
            batch = send_to_device(self.collate(piece), self.trainer.args.device)
            yield weight_of(batch, len(piece), self.trainer), batch

    def rows_of(self, number: int, batch_size: int) -> list[int]:
        """The numbers of a batch's rows: passes over a permutation that changes every pass."""
        batches = max(1, len(self) // batch_size)
        taken, place = divmod(number, batches)
        if hasattr(self.rows, "set_epoch"):
            self.rows.set_epoch(taken)
        order = np.random.default_rng((self.seed, taken)).permutation(len(self))
        return [int(row) for row in order[place * batch_size :][:batch_size]]

    def loss(self, batch: Batch) -> float:
        """The mean loss over a batch, as the Trainer evaluates it, without gradient.

        Raises:
            InputError: the Trainer computes none.
        """
        with own_mean(self.trainer):
            loss, *_ = self.trainer.prediction_step(self.model, batch, prediction_loss_only=True)
        if loss is None:
            names = ", ".join(self.trainer.label_names) or "none"
            raise alike(
                InputError(
                    f"held_out: the Trainer computes no loss of a batch with {', '.join(batch)}; "
                    f"its label_names are {names}: set label_names in the TrainingArguments to names in a batch, or, "
                    "for a model with return_loss, let the collator add return_loss=True"
                )
            )
        return float(loss)

    def loss_to_differentiate(self, batch: Batch) -> Tensor:
        """The same with its graph."""
        with self.trainer.compute_loss_context_manager():
            loss: Tensor = self.trainer.compute_loss(self.model, dict(batch))
        return loss

    def typical(self) -> dict[str, Tensor]:
        """The model's inputs of one example, for counting operations: of the first 32 examples the largest."""
        alone = (self.collate([self.rows[row]]) for row in range(min(32, len(self))))
        taken = [({name: value for name, value in batch.items() if self._takes(name, value)}) for batch in alone]
        found = max(taken, key=lambda batch: sum(value.numel() for value in batch.values()))
        moved: dict[str, Tensor] = send_to_device(found, self.trainer.args.device)
        return moved

    def _takes(self, name: str, value: object) -> bool:
        """Whether the model takes a tensor by this name; what else a collator makes is for ``compute_loss``."""
        known = inspect.signature(self.model.forward).parameters
        open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values())
        return isinstance(value, Tensor) and (open_ended or name in known)


def _own(trainer: Trainer, name: str | None) -> Any:
    """The Trainer's evaluation dataset, or that of a name."""
    found = trainer.eval_dataset
    several = isinstance(found, Mapping)
    if name is None and found is not None and not several:
        return found
    if several and name in found:
        return found[name]
    known = ", ".join(found) if several else "none by name"
    wanted = "no dataset given, and the Trainer has no single eval_dataset" if name is None else f"{name!r}: no such"
    raise InputError(f"held_out: {wanted}; the Trainer's evaluation datasets: {known}. Give a dataset")
