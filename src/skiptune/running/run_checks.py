"""Refuse a run that cannot work before it starts."""

from __future__ import annotations

from ..core.errors import InputError
from ..data.parts import Data
from ..data.splits import check_disjoint
from ..experiment import Experiment
from ..exporting.plain.refusals import check_plain, check_tokens
from ..families.registry import family_of
from ..inserting.selection import blocks_of, choose
from ..searching.search import prepare_search
from ..searching.search_schedule import schedule
from ..searching.strategies import STRATEGIES
from ..searching.training_length import TrainingLength
from ..tasks.registry import TASKS
from ..training.encoder_cache import encoders_of
from ..training.gradient_checkpointing import refuse_without_checkpointing
from ..training.machine import check_machine
from ..training.validation import check_validation
from .recipe import Recipe
from .run_folder import search_folder
from .run_models import RunModels
from .train_baseline import check_baselines


def check_records(recipe: Recipe, data: Data) -> None:
    """Refuse records that are not of the task, parts without any known answer, and parts that share images.

    Raises:
        InputError: names them.
    """
    parts = {"train": data.train, **data.held_out}
    task = TASKS[recipe.task]
    for name, records in parts.items():
        task.check(records)
        if not any(map(task.answered, records)):
            raise InputError(f"{name}: the answers are not known, so nothing can be learnt or measured; leave it out")
    task.check([records[0] for records in parts.values()])  # all of one kind, also between parts
    check_disjoint(parts)


def check_models(models: RunModels, experiment: Experiment) -> None:
    """Refuse a budget, a search, baselines, a cache or training settings that cannot work with the model, or here.

    Raises:
        InputError: says which and why.
    """
    check_machine(experiment.training)
    check_validation(experiment)
    model = models.adapted(fitted=False)
    if experiment.training.gradient_checkpointing:
        refuse_without_checkpointing(model)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise InputError(
            "adapters: nothing would be trained: no adapters are asked for, and the model has no head of a task; take "
            "block_adapter: lora"
        )
    check_baselines(models.recipe, model, experiment)
    given = models.recipe.plan
    if models.recipe.export.form == "plain":
        check_tokens(given.tokens if given else models.recipe.search.tokens)
        check_plain(model)
    if models.recipe.encoder_cache is not None:
        encoders_of(model)
    if given is not None:
        choose(model, given.of(family_of(model).name, tuple(blocks_of(model))))
        return
    prepare_search(model, experiment, search_folder(models.recipe, models.folder))


def refuse_given_plan(recipe: Recipe, who: str) -> None:
    """Refuse a plan that would not be looked at, by ``who`` searches in any case.

    Raises:
        InputError: there is one.
    """
    if recipe.plan is not None:
        raise InputError(f"plan: {who} searches plans itself, within a budget; leave the plan out")


def check_steps(recipe: Recipe, rows: int) -> None:
    """Refuse a search that leaves nothing of the training on ``rows`` records, of which it is a part.

    Raises:
        InputError: names the field and the steps.
    """
    if recipe.plan is not None:
        return
    times = schedule(recipe.search, TrainingLength.of(recipe.train, rows), held_out=1)
    if recipe.start == "search" and STRATEGIES[recipe.search.strategy].trains and times.steps >= times.whole:
        name = "epochs" if recipe.search.max_steps is None else "max_steps"
        raise InputError(
            f"search.{name}: {times.steps} steps leave none of train's {times.whole}, of which they are the first; "
            f"lower it, raise train's, or set start: pretrained"
        )
