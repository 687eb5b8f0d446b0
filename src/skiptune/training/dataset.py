"""The data set that the Trainer reads, for one process or several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch.utils.data import BatchSampler, Dataset, Sampler
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ..core.distributed import processes, rank
from ..data.augment import RandAugment, vary
from ..data.record import Record


class RecordDataset(Dataset[Record]):
    """Records by number; the task's collator decodes them.

    Args:
        records: to train on.
        augment: changes their images, in another way every epoch and in the same way after a resume; ``None``: no
            change.
    """

    def __init__(self, records: Sequence[Record], augment: RandAugment | None = None) -> None:
        self.records, self.augment, self.epoch = records, augment, 0

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Record:
        record = self.records[index]
        return record if self.augment is None else vary(record, self.augment, self.epoch, index)


class EpochOfDataset(TrainerCallback):
    """Tells a data set the number of the epoch, before its first batch is made, also within a resumed epoch."""

    def __init__(self, dataset: RecordDataset) -> None:
        self.dataset = dataset

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.dataset.epoch = int((state.epoch or 0) + 1e-6)  # fractions may sum up to slightly less


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
            # the last batch of an epoch may have fewer rows than there are processes: then some are used twice
            yield batch[rank() :: processes()] or [batch[rank() % len(batch)]]
