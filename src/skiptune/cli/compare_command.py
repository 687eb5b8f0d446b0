"""``skiptune compare``."""

from __future__ import annotations

import json
import shlex
import sys
from typing import Annotated

import typer

from .options import JsonOption, OutputOption, RayOption, RecipeArgument, SetOption, on_cluster
from .recipe_runs import recipe_of


def compare(
    recipe: RecipeArgument,
    output: OutputOption = None,
    set: SetOption = None,
    jobs: Annotated[
        int,
        typer.Option(
            "--jobs", "-j", min=1, help="Trainings at a time; they share the cores. With --ray, those of a node."
        ),
    ] = 1,
    ray: RayOption = None,
    estimate: Annotated[bool, typer.Option("--estimate", help="Only print how long it would take.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Train the usual ways of tuning side by side, on the same data, steps and seeds: one table, one plot.

    Full tuning, head only, BitFit, LoRA, (IA)³, prompts, adapters, and skipping by search, at random and by the best
    heuristic; the recipe's compare section says which, and on which seeds. Finished trainings are kept: run the same
    command again after an interruption. With --ray they run on the nodes of a Ray cluster.
    """
    read = recipe_of(recipe, output, set)
    from ..comparing.comparison import MethodComparison
    from ..running.run_checks import refuse_given_plan

    refuse_given_plan(read, "skiptune compare")
    command = shlex.join(["skiptune", *sys.argv[1:]])
    with on_cluster(ray) as cluster:
        comparison = MethodComparison(read, jobs, command, cluster)
        if estimate:
            comparison.estimate()
            return
        rows = comparison.all()
    if as_json:
        typer.echo(json.dumps([row.to_dict() for row in rows]))
        return
    typer.echo((comparison.folder / "compare.md").read_text(encoding="utf-8"))
    typer.echo(f"plot: {comparison.folder / 'compare.png'}")
