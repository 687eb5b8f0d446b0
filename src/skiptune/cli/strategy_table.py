"""``skiptune search --compare``: several search strategies, and a table of what they chose."""

from __future__ import annotations

import json
from dataclasses import asdict

import typer
from rich.table import Table

from ..config.search_config import KNOWING_TOKENS
from ..core.distributed import alike, processes
from ..core.errors import InputError
from ..core.progress import console
from ..core.validation import Problems, nearest
from ..running.run_checks import refuse_given_plan
from ..searching.strategies import STRATEGIES
from .options import on_cluster
from .recipe_runs import run_of


def compare_strategies(
    recipe: str, output: str | None, changes: list[str] | None, names: str | None, ray: str | None, as_json: bool
) -> None:
    """Let strategies search, all or those in ``names`` (with commas between them), and print one row for each.

    Raises:
        InputError: an unknown strategy, several processes, or a recipe that is not valid.
    """
    if processes() > 1:
        raise alike(InputError("skiptune search --compare works in one process; start it by itself"))
    chosen = [name.strip() for name in names.split(",")] if names else list(STRATEGIES)
    problems = Problems("--strategy")
    for name in chosen:
        problems.check(name in STRATEGIES, f"{name!r}{nearest(name, STRATEGIES)}")
    problems.raise_any()
    runner = run_of(recipe, output, changes)
    if not names and runner.recipe.search.tokens is not None:
        chosen = list(KNOWING_TOKENS)
    with on_cluster(ray) as cluster:
        refuse_given_plan(runner.recipe, "skiptune search --compare")
        runner.check()
        rows = runner.compare(chosen, cluster)
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows]))
        return
    table = Table("strategy", "skips", "held-out loss", "above the best", "compared", "cost", box=None)
    for row in rows:
        skipped = "; ".join(filter(None, (" ".join(row.skipped), row.tokens)))
        numbers = f"{row.loss:.4f}", f"{row.regret:.4f}", str(row.subnetworks), f"+{row.cost:.1%}"
        table.add_row(row.strategy, skipped, *numbers)
    console.print(table)
    typer.echo("held-out losses are of the validation part, on which the strategies chose; they are likely too good")
    typer.echo(f"plot: {runner.folder / 'compare' / 'compare.png'}")
