"""``skiptune run``, its steps ``search`` and ``train``, and ``report``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ..core.distributed import rank
from ..core.errors import InputError
from .options import JsonOption, OutputOption, RecipeArgument, SetOption
from .recipe_runs import run_of


def run(recipe: RecipeArgument, output: OutputOption = None, set: SetOption = None) -> None:
    """Search, train, evaluate, export and time, as the recipe says; ends with a report card.

    Run the same command again after an interruption: it goes on where it was and ends with the same result.
    """
    runner = run_of(recipe, output, set)
    results = runner.all()
    if rank() == 0:
        _summary(results)
        typer.echo(f"report card: {runner.folder / 'report.html'}\nslim model:  {runner.folder / 'slim'}")


def search(
    recipe: RecipeArgument,
    output: OutputOption = None,
    set: SetOption = None,
    strategy: Annotated[
        str | None, typer.Option(help="How to choose, instead of the recipe's search.strategy.")
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Let several strategies choose: all, or those of --strategy a,b,c.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Only find the blocks to skip; the plan is written to plan.json in the run's directory.

    With --compare several strategies search, their plans are judged by one yardstick, and compare/ in the run's
    directory gets a table, a plot and every plan; the run itself is left as it is.
    """
    if compare:
        from .strategy_table import compare_strategies

        compare_strategies(recipe, output, set, strategy, as_json)
        return
    runner = run_of(recipe, output, [*(set or []), *([f"search.strategy={strategy}"] if strategy else [])])
    runner.check()
    plan = runner.search()
    if rank() == 0 and as_json:
        typer.echo(json.dumps({"skipped": plan.skipped, "preferences": plan.preferences, "details": plan.details}))
    elif rank() == 0:
        typer.echo(f"skip {', '.join(plan.skipped) or 'nothing'}  ({runner.folder / 'plan.json'})")


def train(recipe: RecipeArgument, output: OutputOption = None, set: SetOption = None) -> None:
    """Search if that is not done yet, then train the adapters with the plan."""
    runner = run_of(recipe, output, set)
    runner.check()
    runner.train()
    if rank() == 0:
        typer.echo(f"trained: {runner.folder / 'trained.safetensors'}")


def report(run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="Directory of a finished run.")]) -> None:
    """Write the report card of a run again, from its results.json."""
    from ..core.files import read_json
    from ..reporting.report import write_report

    path = run_folder / "results.json"
    results = read_json(path)
    if not isinstance(results, dict) or "plan" not in results:
        raise InputError(f"{path}: not the results of a run; run its recipe again")
    try:
        write_report(run_folder, results)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not the results of a run ({error!r}); edited? Run its recipe again") from error
    typer.echo(run_folder / "report.html")


def _summary(results: dict[str, Any]) -> None:
    """The headline of a run."""
    metric, plan = results["metric"], results["plan"]
    typer.echo(f"skipped blocks:  {', '.join(plan['skipped']) or 'none'} of {len(plan['blocks'])}")
    measure = metric["name"]
    for part in ("validation", "test"):
        if part in metric:
            value, count = metric[part][measure], metric[part]["count"]
            typer.echo(f"{f'{part} {measure}:':<24} {value:.2%} of {count} {metric['unit']}")
    for name, entry in results["baselines"].items():
        typer.echo(f"  {name + ':':<15}{(entry['test'] or entry['validation'])[measure]:.2%}")
    typer.echo(f"operations:      {results['relative_macs']:+.1%} against the original model")
    for batch, rows in results["latency"]["batches"].items():
        typer.echo(
            f"latency ×{batch + ':':<8}{rows['slim']['ratio'] - 1:+.1%} ({rows['slim']['median_s'] * 1e3:.1f} ms)"
        )
