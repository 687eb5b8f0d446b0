"""Run jobs on the nodes of a cluster; their files are written here, as their processes here would."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.digests import write_recorded_json
from ..core.files import holding, write_atomically, write_text
from ..running.recipe import Recipe
from ..running.same_inputs import SameInputs, found_anywhere
from ..spreading.cluster import Cluster, Needs
from ..spreading.spread import Ended, Spread
from .job_files import FAILURE, LOG, RESULT, JobSettings, failure_of
from .job_on_node import NodeJob, NodeResult, do_job
from .jobs import Job, job_file, job_recipe


@dataclass(frozen=True)
class NodePool:
    """Where jobs run that do not run here.

    Attributes:
        cluster: that does them.
        needs: of one job.
        inputs: that every node must have.
    """

    cluster: Cluster
    needs: Needs
    inputs: SameInputs

    def carry_out(
        self,
        recipe: Recipe,
        jobs: Sequence[Job],
        settings: JobSettings,
        report: Callable[[Job, float, str | None], None],
    ) -> None:
        """As :func:`skiptune.comparing.job_pool.carry_out`. A job whose node dies begins again on another one.

        Args:
            recipe: of the comparison, complete.
            jobs: to do.
            settings: what all jobs have in common.
            report: called for every finished job with its seconds and, if it failed, the reason.

        Raises:
            InputError: a node does not have the inputs; nothing was begun.
        """
        inputs = self.inputs.check(self.cluster)
        with Spread[NodeJob, NodeResult](self.cluster, do_job, self.needs) as spread:
            for number, job in enumerate(jobs):
                own = found_anywhere(job_recipe(recipe, job))
                spread.add(NodeJob(number, own, job_file(job, settings), inputs))
            for ended in spread.ended():
                job = jobs[ended.item.number]
                report(job, ended.result.seconds if ended.result else 0.0, _keep(recipe, job, ended))


def _keep(recipe: Recipe, job: Job, ended: Ended[NodeJob, NodeResult]) -> str | None:
    """Write the files of a job; returns the reason if it failed."""
    folder, found = job.folder(Path(recipe.output)), ended.result
    if found is None:
        return ended.failure
    write_atomically(folder / LOG, holding(found.log))
    if found.result is not None:
        (folder / FAILURE).unlink(missing_ok=True)
        content = {**found.result.to_dict(), "recipe": job_recipe(recipe, job).to_dict()}
        write_recorded_json(folder / RESULT, content)
    elif found.failure:
        write_text(folder / FAILURE, found.failure)
    return failure_of(folder, found.code)
