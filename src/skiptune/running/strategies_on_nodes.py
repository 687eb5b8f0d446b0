"""``search --compare`` on the nodes of a cluster: a task for the shared warm-up and one for every strategy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ..core.digests import write_recorded
from ..core.errors import InputError, RunError
from ..core.files import holding
from ..core.process import keep_freed_memory, quiet_libraries
from ..core.progress import make_bar, without_bars
from ..searching.strategy_comparison import WARM_UP, StrategyComparison, needs_warm_up
from ..spreading.cluster import Cluster
from ..spreading.spread import Spread
from .same_inputs import SameInputs

#: Timings of blocks, for a budget of latency: all strategies choose within the same.
_TIMED = "allowance.json"


@dataclass(frozen=True)
class SearchTask:
    """What a node is given.

    Attributes:
        strategy: its name; empty: the warm-up.
        inputs: that the node must have.
        files: of the comparison, that the task begins with.
    """

    strategy: str
    inputs: SameInputs
    files: Mapping[str, bytes]

    @property
    def results(self) -> tuple[str, ...]:
        """The names of the files that come back."""
        return (f"{self.strategy}.json",) if self.strategy else WARM_UP


@dataclass(frozen=True)
class SearchResult:
    """What comes back: files by name, or what is wrong."""

    files: Mapping[str, bytes]
    error: InputError | RunError | None = None


def do_search(task: SearchTask) -> SearchResult:
    """Search on this node. None of its files stay here."""
    from .run import Run

    quiet_libraries()
    keep_freed_memory()
    with TemporaryDirectory(prefix="skiptune-") as scratch, without_bars():
        try:
            return SearchResult(_search(task, Run(task.inputs.recipe.replace(output=scratch)).strategies))
        except (InputError, RunError) as error:
            return SearchResult({}, error)


def _search(task: SearchTask, comparison: StrategyComparison) -> dict[str, bytes]:
    task.inputs.check_here()
    comparison.folder.mkdir(parents=True)
    for name, content in task.files.items():
        (comparison.folder / name).write_bytes(content)
    if task.strategy:
        comparison.plan(task.strategy)
    else:
        comparison.warmed_up()
    return {name: (comparison.folder / name).read_bytes() for name in task.results}


def search_on_nodes(comparison: StrategyComparison, names: Sequence[str], cluster: Cluster, inputs: SameInputs) -> None:
    """Let the nodes of a cluster do what is not done yet: the warm-up and the searches. Their files are written here,
    as a search here would, as soon as each is done.

    Args:
        comparison: of the run.
        names: of the strategies.
        cluster: that does it, a task with as many cores as the smallest node has.
        inputs: that every node must have.

    Raises:
        InputError: a strategy cannot meet the budget, or a node does not have the inputs.
        RunError: a search failed.
    """
    comparison.check(names)
    folder = comparison.folder

    def task(name: str, *given: str) -> SearchTask:
        wanted = [folder / one for one in (_TIMED, *given)]
        return SearchTask(name, inputs, {one.name: one.read_bytes() for one in wanted if one.is_file()})

    missing = [name for name in names if not (folder / f"{name}.json").is_file()]
    cold = not all((folder / name).is_file() for name in WARM_UP)
    if not missing and not cold:
        return
    inputs = inputs.check(cluster)
    waiting = [name for name in missing if needs_warm_up(name)]
    with Spread[SearchTask, SearchResult](cluster, do_search, cluster.share(1)) as spread, make_bar() as bar:
        shown = bar.add_task("searching", total=len(missing) + cold, note="")
        for name in [""] * cold + [name for name in missing if name not in waiting]:
            spread.add(task(name))
        for name in () if cold else waiting:
            spread.add(task(name, *WARM_UP))
        for ended in spread.ended():
            _keep(folder, ended.item, ended.result, ended.failure)
            bar.update(shown, advance=1, note=ended.item.strategy or "warm-up")
            if not ended.item.strategy:
                for name in waiting:
                    spread.add(task(name, *WARM_UP))


def _keep(folder: Path, task: SearchTask, found: SearchResult | None, failure: str) -> None:
    """Write the files of a task, or raise what it says is wrong."""
    if found is None:
        raise RunError(f"{task.strategy or 'the warm-up'}: {failure}. Run the same command again to go on")
    if found.error is not None:
        raise found.error
    for name in task.results:
        write_recorded(folder / name, holding(found.files[name]))
