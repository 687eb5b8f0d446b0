"""However a batch is divided among processes and micro-batches, the search and the training are one with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import every_task
from every_task import SEARCHED
from own_process import OwnProcess
from several_processes import told_ranks
from skiptune import Record, Retrieval, SearchConfig, TrainConfig, evaluate, load_processor
from skiptune.data.augment import RandAugment
from skiptune.searching.search_schedule import reward_batch_size, schedule
from skiptune.searching.training_length import TrainingLength
from skiptune.training.dataset import RecordDataset, SharedBatches, SharedCollator, counted, model_inputs
from skiptune.training.schedule import optimizer_steps
from skiptune.training.training_log import TrainingLog


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("divided")
    every_task.write_images(where)
    return where


def as_far(moves: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> bool:
    """Whether weights moved alike. AdamW turns a rounding of a gradient near zero into a whole step, so single weights
    do not tell."""
    apart = sum(float((moves[name] - value).abs().sum()) for name, value in expected.items())
    far = sum(float(value.abs().sum()) for value in expected.values())
    return moves.keys() == expected.keys() and apart < 2e-3 * far


@pytest.mark.slow
def test_two_processes_of_two_micro_batches_are_one_batch(folder: Path) -> None:
    """Thirteen records in steps of eight: the last micro-batch of a pass has a row for one of the processes only.
    Those of one task compute activations again; one training is measured."""
    both = [OwnProcess(every_task.by_several, folder, environment=own) for own in told_ranks(2)]
    whole = {name: (plan, moves) for name, plan, moves in every_task.every_pair(folder, batch_size=8)}
    alone = every_task.measured(folder, batch_size=8)
    ended = [process.ended() for process in both]
    assert [each.returncode for each in ended] == [0, 0], ended
    for name, (plan, moves) in whole.items():
        assert (plan.steps, len(plan.report.rounds)) == (4, 2)
        assert json.loads((folder / f"{name}.json").read_text()) == pytest.approx(plan.preferences, abs=5e-3), name
        assert as_far(load_file(folder / f"{name}.safetensors"), moves), name
    both_measured = TrainingLog.load(folder / "measured.json")
    assert both_measured.best_step == alone.best_step
    assert 1 < both_measured.steps == alone.steps < 18
    for one, other in zip(both_measured.evaluations, alone.evaluations, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=2e-2)
    plan, moves = every_task.searched("retrieval", "vilt-tiny", folder, batch_size=2, gradient_accumulation=4)
    assert plan.skipped == whole["retrieval-vilt-tiny"][0].skipped
    assert as_far(moves, whole["retrieval-vilt-tiny"][1])
    assert len(whole) == len(SEARCHED)


def test_rows_that_are_left_count_once_whatever_the_number_of_processes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two rows for three processes: the third one computes, and counts none."""
    records = every_task.records_of("vqa", folder)[:5]
    own, model = every_task.made("vqa", "vilt-tiny", records)
    monkeypatch.setenv("WORLD_SIZE", "3")
    counts = []
    for number in "012":
        monkeypatch.setenv("RANK", number)
        monkeypatch.setenv("LOCAL_RANK", number)
        dataset = RecordDataset(records)
        collate = SharedCollator(own.collate, dataset)
        shares = list(SharedBatches(range(5), 3))  # type: ignore[arg-type]
        batches = [collate([dataset[row] for row in rows]) for rows in shares]
        counts.append([counted(batch) for batch in batches])
        assert model(**model_inputs(batches[-1])).loss.isfinite()
    assert counts == [[1, 1], [1, 1], [1, 0]]


@pytest.mark.parametrize(
    ("rows", "epochs", "batch", "accumulation", "steps"),
    [
        (33, 10, 32, 1, 20),
        (33, 10, 8, 4, 20),
        (33, 1.5, 32, 1, 3),
        (64, 10, 32, 1, 20),
        (300, 0.1, 10, 1, 3),
        (3, 1, 8, 1, 1),
    ],
)
def test_epochs_are_passes(rows: int, epochs: float, batch: int, accumulation: int, steps: int) -> None:
    config = TrainConfig(batch_size=batch, gradient_accumulation=accumulation)
    assert optimizer_steps(config, rows, epochs, None) == steps
    assert optimizer_steps(config, rows, epochs, 7) == 7


def test_search_and_warm_up_count_the_same_passes() -> None:
    """37 rows in steps of 2 x 8: a pass has 3 steps, and 5 micro-batches, each of which draws a subnetwork."""
    training = TrainConfig(epochs=10, batch_size=8, gradient_accumulation=2)
    assert [TrainingLength.of(training, 37).batches_of(steps) for steps in range(8)] == [0, 2, 4, 5, 7, 9, 10, 12]
    times = schedule(SearchConfig.paper(), TrainingLength.of(training, 37), 8)
    assert (times.steps, times.whole, times.warmup) == (9, 30, 5)
    times = schedule(SearchConfig.paper().replace(draw="step"), TrainingLength.of(training, 37), 8)
    assert (times.steps, times.warmup) == (9, 3)


@pytest.mark.parametrize("strategy", ["bandit", "policy"])
def test_held_out_batches_have_the_size_of_what_a_subnetwork_trains_on(strategy: str) -> None:
    config = SearchConfig(strategy=strategy)  # type: ignore[arg-type]
    sizes = [
        reward_batch_size(config, TrainConfig(batch_size=batch, gradient_accumulation=8 // batch))
        for batch in (8, 2, 1)
    ]
    assert len(set(sizes)) == 1
    each = config.replace(draw="micro_batch")
    assert reward_batch_size(each, TrainConfig(batch_size=2, gradient_accumulation=4)) * 4 == sizes[0]


def captions(number: int) -> tuple[str, ...]:
    return f"this is picture {number}", f"picture {number} again"


def test_false_texts_depend_on_record_seed_and_epoch_alone(folder: Path) -> None:
    records = [Record(folder / f"{number}.png", captions=captions(number)) for number in range(15)]
    task, other = (Retrieval(load_processor("vilt-tiny"), records, false_texts=3, seed=seed) for seed in range(2))
    ids = task.collate(records)["input_ids"]
    assert torch.equal(ids.flip(0), task.collate(records[::-1])["input_ids"])
    assert torch.equal(ids[3:5, :, :9], task.collate(records[3:5])["input_ids"])  # less padding
    dataset = RecordDataset(records)
    first = dataset[3]
    dataset.epoch = 1
    texts = [own._texts(record) for own, record in ((task, first), (task, dataset[3]), (other, first))]
    assert len({tuple(found) for found in texts}) == 3
    assert task._texts(records[3]) == texts[0]


def test_a_picture_that_is_augmented_keeps_its_own_captions_out_of_the_false_texts(folder: Path) -> None:
    records = [Record(folder / f"{number}.png", captions=captions(number)) for number in range(2)]
    task = Retrieval(load_processor("vilt-tiny"), records, false_texts=12)
    for record in map(RecordDataset(records, RandAugment()).__getitem__, range(2)):
        true, *false = task._texts(record)
        assert true in record.captions
        assert not set(false) & set(record.captions)


@pytest.mark.parametrize("family", every_task.FAMILIES)
def test_an_evaluations_loss_does_not_depend_on_its_batches(family: str, folder: Path) -> None:
    task, model = every_task.made("retrieval", family, records := every_task.records_of("retrieval", folder)[:5])
    with torch.no_grad():
        model.rank_output.weight.normal_(generator=torch.Generator().manual_seed(1))  # type: ignore[union-attr, operator]
    losses = [evaluate(model, task, records, batch_size=size).loss for size in (3, 6, 64)]
    assert losses == pytest.approx(losses[:1] * 3, rel=1e-5)
    assert losses[0] > 0.1
