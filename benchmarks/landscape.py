"""Every subnetwork of the embedded ViLT on held-out questions: the oracle that searches are measured against.

    python benchmarks/landscape.py easy-vqa --skip 2 4
    python benchmarks/landscape.py daquar --skip 2 4

Adapters are first trained on subnetworks drawn evenly (the warm-up that all searches share). Then all C(12, k)
subnetworks answer the same questions, which no search ever sees; kept is the loss of every subnetwork on every
question, and whether it was right, so that searches can be replayed with the noise of real batches. Resumable.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn.functional import binary_cross_entropy_with_logits
from transformers import PreTrainedModel

from skiptune import Experiment
from skiptune.config import Budget, SearchConfig, TrainConfig
from skiptune.core.process import keep_freed_memory, quiet_libraries
from skiptune.core.progress import track
from skiptune.data.record import Record
from skiptune.data.splits import split_by_image
from skiptune.inserting.selection import blocks_of
from skiptune.running.recipe_reading import read_recipe
from skiptune.running.run import Run
from skiptune.searching.prefix_sharing import evaluate_each
from skiptune.searching.search import search
from skiptune.tasks.task import Task
from skiptune.training.trained_state import load_trained, read_trained, trained_state

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
RUNS = Path("runs/search-quality")
BATCH = 96
#: Steps of the search, and of search and training together.
SEARCH_STEPS, ALL_STEPS = 90, 300
TRAIN = TrainConfig(batch_size=32, learning_rate=2e-3, warmup_ratio=0.05)
DATASETS = ("easy-vqa", "daquar")
#: LoRA in kept blocks and folded skip adapters, the defaults.
ADAPTERS = "{lora_rank: 16}"


@dataclass
class Setting:
    """A data set to search on.

    Attributes:
        runner: makes models.
        train: what adapters learn from.
        rewards: what searches may look at.
        oracle: what every plan answers.
        judge: what trained plans are judged by: the oracle's questions and more.
    """

    runner: Run
    task: Task
    train: list[Record]
    rewards: list[Record]
    oracle: list[Record]
    judge: list[Record]

    def model(self, seed: int) -> PreTrainedModel:
        """The pre-trained model with fresh adapters."""
        self.runner.recipe = self.runner.recipe.replace(train=TRAIN.replace(seed=seed))
        return self.runner.fresh_model()


def setting(name: str, questions: int = 1024) -> Setting:
    """The parts of a data set: those of the recipe for easy-VQA, and DAQUAR's training part cut by image."""
    changes = [f"adapters={ADAPTERS}", "model=vilt-scenes", "data.validation_share=0.1"]
    recipe = "easy-vqa-demo"
    if name == "daquar":
        recipe = "daquar"
        changes += [
            f"data.train={SHARED / 'daquar' / 'train.jsonl'}",
            f"data.images={SHARED / 'daquar' / 'images'}",
            f"data.test={SHARED / 'daquar' / 'dev.jsonl'}",
            "data.validation_share=0.3",
        ]
    runner = Run(read_recipe(recipe, changes, str(RUNS / name)))
    data = runner.data
    rewards, oracle = [*data.validation], [*data.test]
    if name == "daquar":  # its own held-out part is small
        kept, more = split_by_image(data.validation, 0.5, seed=0)
        rewards, oracle = [*kept], [*more, *oracle]
    order = np.random.default_rng(0).permutation(len(oracle))
    asked, judged = ([oracle[row] for row in np.sort(order[:number])] for number in (questions, 4 * questions))
    return Setting(runner, runner.task, [*data.train], rewards, asked, judged)


def warm_up(made: Setting, count: int, seed: int, steps: int = SEARCH_STEPS) -> PreTrainedModel:
    """Adapters trained on subnetworks drawn evenly; kept on disk."""

    path = made.runner.folder / f"warm-{count}-{steps}-{seed}.safetensors"
    model = made.model(seed)
    if not path.is_file():
        config = SearchConfig(strategy="influence", max_steps=steps, batches=1)  # draws evenly, then looks once
        training = TRAIN.replace(seed=seed, max_steps=ALL_STEPS)
        search(model, Experiment(made.task, made.train, made.rewards, Budget(num_skip=count), config, training))
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(trained_state(model), path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)
    load_trained(model, read_trained(path))
    return model.eval()


@torch.no_grad()
def answers_of_all(made: Setting, model: PreTrainedModel, sets: list[tuple[str, ...]]) -> tuple[np.ndarray, np.ndarray]:
    """Losses and scores ``(subnetworks, questions)``."""
    losses = np.zeros((len(sets), len(made.oracle)), dtype=np.float32)
    scores = np.zeros_like(losses)
    ran: Counter[str] = Counter()
    order = sorted(range(len(made.oracle)), key=lambda row: len(made.oracle[row].text))  # less padding in a batch
    for start in track(range(0, len(order), BATCH), f"{len(sets)} subnetworks"):
        rows = order[start : start + BATCH]
        part = [made.oracle[row] for row in rows]
        batch = made.task.collate(part)
        for number, output in evaluate_each(model, sets, partial(model, **batch), ran):
            each = binary_cross_entropy_with_logits(output.logits, batch["labels"], reduction="none").sum(1)
            assert abs(float(each.mean() - output.loss)) < 1e-3 * float(output.loss)
            losses[number, rows] = each.numpy()
            chosen = output.logits.argmax(1)
            scores[number, rows] = batch["labels"].gather(1, chosen[:, None])[:, 0].numpy()
    return losses, scores


def landscape(name: str, count: int, seed: int = 0) -> Path:
    """The file with every subnetwork's losses and scores."""
    path = RUNS / name / f"landscape-{count}-{seed}.npz"
    if not path.is_file():
        made = setting(name)
        model = warm_up(made, count, seed)
        blocks = list(blocks_of(model))
        sets = list(combinations(blocks, count))
        started = perf_counter()
        losses, scores = answers_of_all(made, model, sets)
        seconds = perf_counter() - started
        numbers = np.array([[blocks.index(block) for block in skipped] for skipped in sets])
        with path.with_suffix(".part").open("wb") as file:
            np.savez_compressed(file, losses=losses, scores=scores, sets=numbers, blocks=len(blocks), seconds=seconds)
        path.with_suffix(".part").replace(path)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", choices=DATASETS)
    parser.add_argument("--skip", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    quiet_libraries()
    keep_freed_memory()
    torch.set_num_threads(options.threads)
    for count in options.skip:
        found = np.load(landscape(options.dataset, count, options.seed))
        means, right = found["losses"].mean(1), found["scores"].mean(1)
        print(
            f"{options.dataset}, {count} skipped: loss {means.min():.3f} to {means.max():.3f}, "
            f"accuracy {right.min():.3f} to {right.max():.3f}, {found['seconds']:.0f} s"
        )


if __name__ == "__main__":
    main()
