"""The data set that the Trainer reads, for one process or several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import BatchSampler, Dataset, Sampler
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ..core.distributed import processes, rank
from ..core.errors import InputError
from ..data.augment import RandAugment, vary
from ..data.record import Record
from .label_counts import labelled_tokens

#: Of a batch for one of several processes: how many of its rows count.
_ROWS = "counted_rows"


class RecordDataset(Dataset[Record]):
    """Records by number, each with the epoch; the task's collator decodes them.

    Args:
        records: to train on.
        augment: changes their images, in another way every epoch and in the same way after a resume; ``None``: no
            change.
    """

    def __init__(self, records: Sequence[Record], augment: RandAugment | None = None) -> None:
        self.records, self.augment, self.epoch = records, augment, 0

    def __len__(self) -> int:
        return len(self.records)

    def set_epoch(self, epoch: int) -> None:
        """Tell the number of the pass over the records."""
        self.epoch = epoch

    def __getitem__(self, index: int) -> Record:
        record = replace(self.records[index], epoch=self.epoch)
        return record if self.augment is None else vary(record, self.augment, self.epoch, index)


class EpochOfDataset(TrainerCallback):
    """Tells a data set the number of the epoch, before its first batch is made, also within a resumed epoch."""

    def __init__(self, dataset: RecordDataset) -> None:
        self.dataset = dataset

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.dataset.set_epoch(int((state.epoch or 0) + 1e-6))  # fractions may sum up to slightly less


class SharedBatches(BatchSampler):
    """The batches of a single process, of which each process takes every n-th row.

    Args:
        sampler: of row numbers, in the same order in every process.
        batch_size: of all processes together.
    """

    def __init__(self, sampler: Sampler[int], batch_size: int) -> None:
        super().__init__(sampler, batch_size, drop_last=False)

    def __iter__(self) -> Iterator[list[int]]:
        for batch in super().__iter__():
            yield batch[rank() :: processes()]  # none, if a last batch has fewer rows than there are processes


class SharedCollator:
    """Makes the batches of one of several processes, which all compute in every step.

    Where no row is left for this one, the first record stands in; the batch says that none of its rows counts.

    Args:
        collate: makes a batch of records.
        dataset: with at least one record.
    """

    def __init__(self, collate: Callable[[Sequence[Record]], dict[str, Tensor]], dataset: RecordDataset) -> None:
        self.collate, self.dataset = collate, dataset

    def __call__(self, records: Sequence[Record]) -> dict[str, Tensor]:
        return {**self.collate(records or [self.dataset[0]]), _ROWS: torch.tensor(len(records))}


def counted(batch: dict[str, Tensor]) -> int:
    """The weight of a batch in the mean of the loss: the tokens of answers where labels are tokens, else its rows; 0 of
    one whose rows do not count."""
    if _ROWS in batch and not batch[_ROWS]:
        return 0
    tokens = labelled_tokens(batch)
    return len(batch["labels"]) if tokens is None else tokens


def model_inputs(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """A batch without the count of its rows."""
    return {name: value for name, value in batch.items() if name != _ROWS}


def without_worker(error: InputError) -> InputError:
    """The error as a DataLoader's worker raised it, without the traceback that torch puts before its message."""
    name = f"{InputError.__module__}.{InputError.__qualname__}: "
    return InputError(str(error).rpartition(name)[2])
