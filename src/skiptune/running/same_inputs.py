"""Whether another machine has the model and the data of a run, file by file."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ..core.errors import InputError
from ..core.progress import without_bars
from ..core.validation import Problems, problem_lines
from ..spreading.node import facts_here, key_here
from .recipe import Recipe

if TYPE_CHECKING:
    from ..spreading.cluster import Cluster
    from .run import Run


@dataclass(frozen=True)
class SameInputs:
    """What every machine needs that does a part of a run's work. Small, and read without loading a model.

    Attributes:
        recipe: of the run; its model is an absolute path, a name or a hub id.
        wanted: digests of model, files and records, as ``inputs.json`` has them.
        checked: keys of the nodes that are known to have them.
    """

    recipe: Recipe
    wanted: str
    checked: frozenset[str] = frozenset()

    @staticmethod
    def of(run: Run) -> SameInputs:
        """Those of a run that was checked."""
        from .run_inputs import inputs_of, read_inputs

        inputs = read_inputs(run.folder) or inputs_of(run.recipe, run.data, run.task)
        return SameInputs(found_anywhere(run.recipe), json.dumps(inputs.to_dict()))

    def differences(self) -> list[str]:
        """What is missing or other on the machine where this is called, a line each."""
        from .run import Run
        from .run_inputs import RunInputs, Than, inputs_of

        wanted = RunInputs.from_dict(json.loads(self.wanted))
        with TemporaryDirectory() as scratch:
            run = Run(self.recipe.replace(output=scratch))
            try:
                now = inputs_of(run.recipe, run.data, run.task)
            except InputError as error:
                return problem_lines(error)
            left_out = [f"left out there: {bad[0]}" for bad in run.data.bad_rows.values() if bad]
        there = Than("there", "on the machine that asks")
        found = list(wanted.differences(now, self.recipe, there))
        return [*found, *left_out] if found else []

    def check(self, cluster: Cluster) -> SameInputs:
        """Look at every node of a cluster before any work; returns these inputs, with the nodes as checked.

        Raises:
            InputError: names the nodes and what is missing or other there.
        """
        problems, keys = Problems("--ray: the nodes need the same model and data, at the same paths"), set()
        for node, lines in cluster.on_each(differences_here, self):
            keys.add(node.key)
            for line in lines:
                problems.add(f"{node.host}: {line}")
        problems.raise_any()
        return replace(self, checked=frozenset(keys))

    def check_here(self) -> None:
        """Look at the node where this is called, if it joined the cluster after the others were looked at.

        Raises:
            InputError: names the node and what is missing or other there.
        """
        if key_here() not in self.checked and (lines := differences_here(self)):
            raise InputError(f"{facts_here().host}: the model or the data are others there: {'; '.join(lines)}")


def differences_here(inputs: SameInputs) -> list[str]:
    """:meth:`SameInputs.differences`, as a function that a node can be sent."""
    with without_bars():
        return inputs.differences()


def found_anywhere(recipe: Recipe) -> Recipe:
    """The recipe, with a model that does not depend on the working directory."""
    folder = Path(recipe.model)
    return recipe.replace(model=str(folder.resolve())) if folder.is_dir() else recipe
