"""A whole run, step by step: search, train, evaluate, export, time, report.

Every step's result is a file, so a run that was killed goes on where it was. Several processes train together; all
else is done, and every file written, by the first one.
"""

from __future__ import annotations

import copy
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import PreTrainedModel

from ..config import SkipConfig
from ..core.distributed import alike, on_main, rank
from ..core.errors import InputError
from ..core.files import read_json, write_atomically, write_json
from ..core.process import best_device, versions
from ..core.progress import console, say_once
from ..costs.cost_table import cost_table
from ..costs.example_inputs import example_inputs
from ..costs.latency import compare_latency
from ..costs.parameters import count_parameters
from ..data.damaged import Damaged
from ..data.parts import Data, read_parts
from ..data.record import Record
from ..data.splits import check_disjoint
from ..experiment import Experiment
from ..exporting.export import annotate, export
from ..exporting.load import load
from ..exporting.manifest import read_manifest
from ..families.registry import family_of
from ..inserting.insert import insert
from ..inserting.parameter_groups import parameter_groups, unfreeze
from ..inserting.pruning import prune, remove_dead_blocks
from ..inserting.selection import blocks_of, check_plan, choose
from ..models.head_transfer import label_names
from ..models.loading import load_config, load_model, load_processor
from ..plan import Plan
from ..reporting.report import write_report
from ..reporting.results import Results
from ..searching.budget import random_blocks
from ..searching.search import prepare_search, search
from ..searching.search_schedule import schedule
from ..searching.strategies import STRATEGIES
from ..searching.strategy_comparison import StrategyComparison, StrategyRow
from ..tasks.evaluation import evaluate
from ..tasks.registry import TASKS
from ..tasks.task import Evaluation, Task
from ..training.encoder_cache import EncoderCache, encoders_of
from ..training.fit import fit
from ..training.skip_adapter_init import fit_skip_adapters
from ..training.trained_state import load_tensors, load_trained, read_trained, trained_state
from ..training.training_log import TrainingLog
from ..version import __version__
from .recipe import Recipe, with_preset
from .run_folder import check_batch, claim

_SAMPLES = 12
_STARTS = "adapter_start.safetensors"
#: What frozen encoders said, see :class:`EncoderCache`.
ENCODED = "encoded.sqlite"
#: What of a plan's details the report tells.
_OF_SEARCH = ("rounds", "comparisons", "confidence", "expected_regret", "spread", "likely", "sets")
T = TypeVar("T")


class Run:
    """A recipe being carried out in its output directory."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = on_main(lambda: with_preset(recipe))
        self.folder = Path(recipe.output)

    @property
    def _search_folder(self) -> Path:
        return self.folder / "checkpoints" / "search"

    @cached_property
    def data(self) -> Data:
        log = self.folder / "logs" if rank() == 0 else None
        found = read_parts(self.recipe.data, self.recipe.train.seed, log)
        report_bad_rows(found.bad_rows)
        return found

    @cached_property
    def task(self) -> Task:
        processor, data = load_processor(self.recipe.model), self.recipe.data
        known = label_names(load_config(self.recipe.model))
        task = TASKS[self.recipe.task].from_data(
            processor, self.data, data.least_answer_count, known, **self.recipe.task_options
        )
        if known and task.settings().get("answers") == list(known):
            say_once(f"{self.recipe.model}: its head knows all answers of the data and keeps its own {len(known):,}")
        most = {} if data.most_bad is None else {"most_bad": data.most_bad}
        task.images.damaged = Damaged(self.folder / "logs" / "bad-images.log", **most)
        return task

    @property
    def experiment(self) -> Experiment:
        """What is searched and trained."""
        data, recipe = self.data, self.recipe
        return Experiment(self.task, data.train, data.validation, recipe.budget, recipe.search, recipe.train)

    def check(self) -> None:
        """Refuse everything that cannot work, before any work.

        Raises:
            InputError: data, model, budget or output directory are not usable.
        """

        def check() -> None:
            claim(self.folder, self.recipe)
            parts = {"train": self.data.train, "validation": self.data.validation, "test": self.data.test}
            for records in parts.values():
                TASKS[self.recipe.task].check(records)
            check_disjoint(parts)
            self._check_steps()
            if not (self.folder / "plan.json").is_file():
                model = self.fresh_model(started=False)
                if self.recipe.encoder_cache is not None:
                    encoders_of(model)
                prepare_search(model, self.experiment, self._search_folder)

        on_main(check)

    def _check_steps(self) -> None:
        """The search is a part of the training."""
        recipe = self.recipe
        times = schedule(recipe.search, recipe.train, len(self.data.train), 1)
        if recipe.start == "search" and STRATEGIES[recipe.search.strategy].trains and times.steps >= times.whole:
            name = "epochs" if recipe.search.max_steps is None else "max_steps"
            raise InputError(
                f"search.{name}: {times.steps} steps leave none of train's {times.whole}, of which they are the first; "
                f"lower it, raise train's, or set start: pretrained"
            )

    def all(self) -> Results:
        """Carry out what is not done yet; returns the content of ``results.json``."""
        self.check()
        self.search()
        self.train()
        for name in self.recipe.baselines:
            self.baseline(name)
        self.evaluate()
        self.export()
        self.latency()
        results = self.results()
        on_main(lambda: write_report(self.folder, results))
        on_main(EncoderCache(self.folder / ENCODED).remove)
        return results

    def fresh_model(self, started: bool = True) -> PreTrainedModel:
        """The pre-trained model with new adapters: the same weights at every call.

        ``started=False`` leaves out a start of the skip adapters that costs a pass over data.
        """
        recipe = self.recipe
        model = self.plain_model()
        insert(model, recipe.adapters, seed=recipe.train.seed)
        if started and recipe.adapters.init == "fit":
            self.adapter_start()
            path = self.folder / _STARTS
            load_tensors(parameter_groups(model)["skip_adapters"], on_main(lambda: read_trained(path)), str(path))
        return model

    def plain_model(self) -> PreTrainedModel:
        """The pre-trained model with the task's head, and nothing inserted: the same weights at every call."""
        name, seed = self.recipe.model, self.recipe.train.seed
        model = load_model(name, self.task.model_class, seed=seed, **self.task.model_changes())
        if self.recipe.preset != "paper":
            self.task.start_head(model, self.data.train)
        return model

    def encoders_kept(
        self, model: torch.nn.Module, path: Path | None = None
    ) -> AbstractContextManager[EncoderCache | None]:
        """While this lasts, ``model``'s frozen encoders look up what they know, if the recipe says so.

        ``path`` is that of the file; ``None``: ``encoded.sqlite`` in the output directory.
        """
        gib = self.recipe.encoder_cache
        return nullcontext() if gib is None else EncoderCache(path or self.folder / ENCODED, gib).attached(model)

    def adapter_start(self) -> dict[str, Any]:
        """For ``init: fit``: skip adapters fitted to their blocks, once for the whole run.

        Returns:
            ``relative_error`` by block, as of :func:`fit_skip_adapters`.
        """

        def make(model: PreTrainedModel) -> dict[str, Any]:
            seed = self.recipe.train.seed
            errors = fit_skip_adapters(model.to(best_device()), self.task, self.data.train, seed=seed)
            fitted = parameter_groups(model)["skip_adapters"]
            state = {name: p.detach().cpu().contiguous() for name, p in fitted.items()}
            write_atomically(self.folder / _STARTS, lambda temporary: save_file(state, temporary))
            return {"relative_error": errors}

        return self._step("adapter_start.json", lambda: self.fresh_model(started=False), make)

    def search(self) -> Plan:
        """Step 1: the plan, in ``plan.json``."""
        path = self.folder / "plan.json"
        if not on_main(path.is_file):
            reward_batch = on_main(lambda: check_batch(self.folder, self.recipe.train))
            model = self.fresh_model()
            recipe, folder = self.recipe, self._search_folder
            config = recipe.search.replace(reward_batch_size=recipe.search.reward_batch_size or reward_batch)
            experiment = replace(self.experiment, search=config)
            with self.encoders_kept(model):
                plan = search(model, experiment, folder, keep_adapters=recipe.start == "search")
            self._save_tensors(self.folder / "searched.safetensors", model)
            on_main(lambda: plan.save(path))
            on_main(lambda: shutil.rmtree(folder, ignore_errors=True))
        return on_main(lambda: Plan.load(path))

    def compare(self, strategies: Sequence[str]) -> list[StrategyRow]:
        """Search with several strategies, in ``compare/``; rows as :class:`StrategyComparison` has them, and a plot."""
        folder = self.folder / "compare"
        comparison = StrategyComparison(self.fresh_model, self.experiment, folder, self.encoders_kept)
        rows = comparison.rows(strategies)
        from ..reporting.plots import comparison_plot  # matplotlib is slow to import

        write_atomically(folder / "compare.png", lambda partial: comparison_plot(partial, rows))
        return rows

    def train(self) -> PreTrainedModel:
        """Step 2: the adapters trained with the plan, in ``trained.safetensors``."""
        plan, path = self.search(), self.folder / "trained.safetensors"
        model = self.fresh_model()
        check_plan(model, plan)
        if not on_main(path.is_file):
            on_main(lambda: check_batch(self.folder, self.recipe.train))
            if self.recipe.start == "search":
                self._load_tensors(self.folder / "searched.safetensors", model)
            done = plan.steps if self.recipe.start == "search" else 0
            self._fit(model, plan, "train", done)
            self._save_tensors(path, model)
        self._load_tensors(path, model)
        choose(model, plan.skipped)
        return model.to(best_device())

    def baseline(self, name: str) -> dict[str, Any]:
        """Train a yardstick with the same settings: nothing skipped, a random plan, or full tuning."""

        def train() -> tuple[PreTrainedModel, Plan, TrainingLog]:
            on_main(lambda: check_batch(self.folder, self.recipe.train))
            model, plan = self.fresh_model(), self.search()
            if name == "full":
                model = self.plain_model()
                insert(model, SkipConfig(block_adapter="none", scope=self.recipe.adapters.scope))
                unfreeze(model)
            skipped = random_blocks(plan, self.recipe.train.seed) if name == "random" else ()
            chosen = Plan(plan.family, plan.blocks, skipped, name)
            return model, chosen, self._fit(model, chosen, name)

        def make(trained: tuple[PreTrainedModel, Plan, TrainingLog]) -> dict[str, Any]:
            model, plan, log = trained
            return {
                "skipped": list(plan.skipped),
                "trainable": count_parameters(remove_dead_blocks(copy.deepcopy(model), plan))["trainable"],
                "seconds": log.seconds,
                "validation": evaluate(model, self.task, self.data.validation, title=name).summary(),
                "test": evaluate(model, self.task, self.data.test, title=name).summary() if self.data.test else None,
            }

        return self._step(f"baselines/{name}.json", train, make)

    def evaluate(self) -> dict[str, Any]:
        """Step 3: accuracy on validation and, once, on test."""

        def make(model: PreTrainedModel) -> dict[str, Any]:
            parts = {"validation": self.data.validation, "test": self.data.test}
            with self.encoders_kept(model):
                found = {name: evaluate(model, self.task, rows, title=name) for name, rows in parts.items() if rows}
            shown = "test" if "test" in found else "validation"
            samples = sample_predictions(found[shown], self.task, parts[shown], self.recipe.train.seed)
            return {**{name: result.summary() for name, result in found.items()}, "samples": samples}

        return self._step("evaluation.json", self.train, make)

    def export(self) -> Path:
        """Step 4: the slim model, in ``slim/``."""
        target = self.folder / "slim"
        if not on_main((target / "config.json").is_file):
            self.evaluate()
            model, plan = self.train(), self.search()
            on_main(lambda: export(model, target, plan, self.task, extra=self.measured()))
        return target

    def measured(self) -> dict[str, Any]:
        """What is known by now of the slim model, for its configuration and its card."""

        def content(name: str) -> dict[str, Any]:
            path = self.folder / name
            found = read_json(path) if path.is_file() else {}
            if not isinstance(found, dict):
                raise InputError(f"{path}: not what this step leaves; edited? Remove it to do the step again")
            return {key: value for key, value in found.items() if key not in ("samples", "step_seconds")}

        found: dict[str, Any] = {"data": self.recipe.data.name, "seed": self.recipe.train.seed}
        found["accuracy"] = content("evaluation.json")
        baselines = {name: content(f"baselines/{name}.json") for name in self.recipe.baselines}
        parts = ("validation", "test")
        found["baselines"] = {
            name: {part: row[part] for part in parts if row.get(part)} for name, row in baselines.items() if row
        }
        if latency := content("latency.json"):
            found |= {"latency": latency, "image_size": list(self.input_size()[0])}
        return found

    def latency(self) -> dict[str, Any]:
        """Step 5: original, unskipped with adapters, and slim, interleaved on the CPU or GPU of this machine."""

        def make(folder: Path) -> dict[str, Any]:
            slim = load(folder, verify=True)
            original = load_model(self.recipe.model, self.task.model_class, **self.task.model_changes())
            family_of(original).adopt(original)
            unskipped = self.fresh_model(started=False)
            unskipped = prune(unskipped, Plan(family_of(original).name, tuple(blocks_of(unskipped)), ()))
            models = {"original": original, "unskipped": unskipped, "slim": slim}
            for model in models.values():
                model.to(best_device())
            side, length = self.input_size()
            rows = {
                str(batch): compare_latency(
                    models,
                    example_inputs(original, side, length, batch),
                    self.recipe.bench.repeats,
                    title=f"timing {batch}",
                )
                for batch in self.recipe.bench.batch_sizes
            }
            device = str(next(slim.parameters()).device)
            return {"batches": rows, "threads": torch.get_num_threads(), "device": device, "text_length": length}

        found = self._step("latency.json", self.export, make)
        on_main(self._tell_latency)
        return found

    def _tell_latency(self) -> None:
        """The slim model's card was written before anything was timed."""
        slim = self.folder / "slim"
        if "latency" not in read_manifest(slim).extra:
            annotate(slim, self.measured())

    def input_size(self) -> tuple[tuple[int, int], int]:
        """(height, width) and text length of the first validation batch: what costs and latency are stated for."""
        batch = self.task.collate(self.data.validation[:32])
        height, width = batch["pixel_values"].shape[-2:]
        return (int(height), int(width)), int(batch["input_ids"].shape[-1])

    def results(self) -> Results:
        """Everything worth knowing of the run, in ``results.json``."""
        plan, evaluation, latency = self.search(), self.evaluate(), self.latency()
        baselines = {name: self.baseline(name) for name in self.recipe.baselines}
        return on_main(lambda: self._results(plan, evaluation, latency, baselines))

    def _results(
        self, plan: Plan, evaluation: dict[str, Any], latency: dict[str, Any], baselines: dict[str, Any]
    ) -> Results:
        plain = load_model(self.recipe.model, self.task.model_class, **self.task.model_changes())
        size, length = self.input_size()
        cost = cost_table(plain, self.recipe.adapters, plan.skipped, size, length)
        slim, found = self.folder / "slim", {} if plan.report is None else plan.report.to_dict()
        content = {
            "skiptune_version": __version__,
            "recipe": self.recipe.to_dict(),
            "plan": {
                "strategy": plan.strategy,
                "blocks": list(plan.blocks),
                "skipped": list(plan.skipped),
                "preferences": plan.preferences,
                **{name: value for name, value in found.items() if name in _OF_SEARCH},
            },
            "metric": {
                "name": self.task.metric,
                "unit": self.task.unit,
                **{k: v for k, v in evaluation.items() if k != "samples"},
            },
            "samples": evaluation["samples"],
            "adapter_start": self.adapter_start() if self.recipe.adapters.init == "fit" else None,
            "baselines": baselines,
            "operations": cost.macs_g,
            "relative_macs": cost.relative_macs,
            "input": {"image_size": list(size), "text_length": length},
            "parameters": {
                **cost.parameters,
                "slim": cost.parameters_with_plan,
                "trained": cost.trained_with_plan,
            },
            "bytes": {"slim": sum(file.stat().st_size for file in slim.iterdir())},
            "latency": latency,
            "history": {"search": found.get("history", []), "train": self._history("train")},
            "records": {
                "train": len(self.data.train),
                "validation": len(self.data.validation),
                "test": len(self.data.test),
                "bad_rows": {name: len(rows) for name, rows in self.data.bad_rows.items()},
                "bad_images": len(self.task.images.damaged.problems()) if self.task.images.damaged else 0,
            },
            "answers": len(self.task.settings().get("answers", ())) or None,
            "seconds": {"search": found.get("seconds"), **self.step_seconds()},
            "seed": self.recipe.train.seed,
            "versions": versions(),
        }
        results = Results.from_dict(content, f"{self.folder}: files of its steps hold something else; edited?")
        results.save(self.folder / "results.json")
        return results

    def _fit(self, model: PreTrainedModel, plan: Plan, name: str, done: int = 0) -> TrainingLog:
        folder = self.folder / "checkpoints" / name
        with self.encoders_kept(model):
            log = fit(model, self.experiment, plan, folder, done)
        on_main(lambda: log.save(self.folder / "logs" / f"{name}.json"))
        on_main(lambda: shutil.rmtree(folder, ignore_errors=True))
        return log

    def _history(self, name: str) -> list[dict[str, Any]]:
        path = self.folder / "logs" / f"{name}.json"
        return [entry.to_dict() for entry in TrainingLog.load(path).history] if path.is_file() else []

    def step_seconds(self) -> dict[str, float]:
        """Wall time of the steps done so far, the search aside: its plan says."""
        found = {path.stem: TrainingLog.load(path).seconds for path in sorted((self.folder / "logs").glob("*.json"))}
        for name in ("evaluation", "latency"):
            path = self.folder / f"{name}.json"
            if path.is_file():
                found[name] = read_json(path)["step_seconds"]
        return found

    def _step(self, name: str, before: Callable[[], T], make: Callable[[T], dict[str, Any]]) -> dict[str, Any]:
        """The JSON of a step, made if it is not there yet: ``make`` in the first process, ``before`` it in all."""
        path = self.folder / name
        if not on_main(path.is_file):
            given = before()
            started = time.perf_counter()
            on_main(lambda: write_json(path, {**make(given), "step_seconds": time.perf_counter() - started}))
        content = on_main(lambda: read_json(path))
        if not isinstance(content, dict) or "step_seconds" not in content:
            raise alike(InputError(f"{path}: not what this step leaves; edited? Remove it to do the step again"))
        return {key: value for key, value in content.items() if key != "step_seconds"}

    def _save_tensors(self, path: Path, model: PreTrainedModel) -> None:
        state = trained_state(model)
        on_main(lambda: write_atomically(path, lambda temporary: save_file(state, temporary)))

    def _load_tensors(self, path: Path, model: PreTrainedModel) -> None:
        load_trained(model, on_main(lambda: read_trained(path)), source=str(path))


def report_bad_rows(parts: dict[str, list[str]]) -> None:
    """Tell how many rows of each part were left out, and why the first one was."""
    for name, bad in parts.items():
        if bad:
            console.print(f"{name}: {len(bad)} rows left out, e.g. {bad[0]}")


def sample_predictions(found: Evaluation, task: Task, records: Sequence[Record], seed: int) -> list[dict[str, Any]]:
    """A few records with the given and the accepted answers, for the report card."""
    rows = np.random.default_rng(seed).permutation(len(records))[:_SAMPLES]
    return [
        {
            "image": str(records[row].image),
            "question": records[row].text,
            "accepted": task.accepted(records[row]),
            "given": found.predictions[row],
            "score": found.scores[row],
        }
        for row in rows
    ]
