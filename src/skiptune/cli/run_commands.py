"""``skiptune run``, its steps ``search`` and ``train``, and ``report``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ..core.digests import check_recorded
from ..core.distributed import rank
from ..core.errors import InputError
from .options import JsonOption, OutputOption, RayOption, RecipeArgument, SetOption
from .recipe_runs import run_of

#: Of a plan, as ``search --json`` prints it.
_TOLD = ("skipped", "preferences", "tokens", "details")


def run(recipe: RecipeArgument, output: OutputOption = None, set: SetOption = None) -> None:
    """Search, train, evaluate, export and time, as the recipe says; ends with a report card.

    Run the same command again after an interruption: it goes on where it was and ends with the same result.
    """
    runner = run_of(recipe, output, set)
    results = runner.all()
    if rank() == 0:
        typer.echo(f"{results}\nreport card: {runner.folder / 'report.html'}\nslim model:  {runner.folder / 'slim'}")
        if runner.recipe.export.form == "plain":
            typer.echo(f"plain:       {runner.folder / 'plain'}")


def search(
    recipe: RecipeArgument,
    output: OutputOption = None,
    set: SetOption = None,
    strategy: Annotated[
        str | None, typer.Option(help="Search strategy, instead of the recipe's search.strategy.")
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Let several strategies choose: all, or those of --strategy a,b,c.")
    ] = False,
    ray: RayOption = None,
    as_json: JsonOption = False,
) -> None:
    """Only find the blocks to skip; the plan is written to plan.json in the run's directory.

    With --compare several strategies search, their plans are judged on the same held-out records, and compare/ in the
    run's directory gets a table, a plot and every plan; the run itself does not change. With --ray the strategies
    search on the nodes of a Ray cluster.
    """
    if ray is not None and not compare:
        raise InputError("--ray: a single search works in one process; leave it out, or let strategies --compare")
    if compare:
        from .strategy_table import compare_strategies

        compare_strategies(recipe, output, set, strategy, ray, as_json)
        return
    runner = run_of(recipe, output, [*(set or []), *([f"search.strategy={strategy}"] if strategy else [])])
    runner.check()
    plan = runner.search()
    if rank() == 0 and as_json:
        typer.echo(json.dumps({name: value for name, value in plan.to_dict().items() if name in _TOLD}))
    elif rank() == 0:
        tokens = "" if plan.tokens is None else f"; image tokens: {plan.tokens}"
        typer.echo(f"skip {', '.join(plan.skipped) or 'nothing'}{tokens}  ({runner.folder / 'plan.json'})")


def train(recipe: RecipeArgument, output: OutputOption = None, set: SetOption = None) -> None:
    """Search if that is not done yet, then train the adapters with the plan."""
    runner = run_of(recipe, output, set)
    runner.check()
    runner.train()
    if rank() == 0:
        typer.echo(f"trained: {runner.folder / 'trained.safetensors'}")


def report(run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="Directory of a finished run.")]) -> None:
    """Write the report card of a run again, from its results.json."""
    if run_folder.is_file():
        raise InputError(f"{run_folder}: not the directory of a run")
    from ..reporting.report import write_report
    from ..reporting.results import Results

    results = Results.load(run_folder / "results.json")
    check_recorded(run_folder / "results.json", "Run its recipe again to write it anew.")
    write_report(run_folder, results)
    typer.echo(run_folder / "report.html")
