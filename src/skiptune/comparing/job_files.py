"""Files between a comparison and the process of a job: ``job.json`` and ``result.json``."""

from __future__ import annotations

from pathlib import Path

from pydantic import ConfigDict

from ..core.measurements import Measured
from ..core.validated import Number, Pair, Several, Validated
from ..plan import TokenSchedule
from ..spreading.node import NodeFacts

RECIPE, JOB, LOG = "recipe.json", "job.json", "log.txt"
RESULT, FAILURE = "result.json", "failure.txt"


class JobSettings(Validated):
    """Settings of all jobs of a comparison, beside the recipe.

    Attributes:
        image_size: (height, width) in pixels that operations are counted for.
        text_length: tokens, likewise.
        threads: of torch.
        encoded: file of cached encoder outputs.
    """

    image_size: Pair[int]
    text_length: int
    threads: int
    encoded: str


class JobFile(JobSettings):
    """The content of ``job.json``; ``method`` is a name of the table of methods."""

    method: str


class JobResult(Validated):
    """The content of ``result.json``, where the recipe stands beside these.

    Attributes:
        skipped: blocks of the plan; ``blocks``: number of the model's blocks; ``strategy``: how the plan was chosen.
        tokens: its token schedule, if it has one.
        trainable: trained parameters without the task head; ``trainable_head``: those of the head.
        parameters: of the original model.
        macs_g: G multiply-accumulates of one forward pass of the slim form.
        part: of the data that was measured; ``metric``: its headline, called ``metric_name``, in [0, 1];
            ``measures``: all of them.
        terms: one score per record, whose mean is the metric.
        train_s: seconds of search and training; ``evaluate_s``: of the evaluation.
        peak_gib: most memory of the process until the training ended, ``None`` where a system does not tell.
        steps: optimizer steps in all; ``search_steps``: those of the search.
        learning_rates: peak, by parameter group.
        node: of a cluster, on which all this was measured; ``None``: this machine.
    """

    model_config = ConfigDict(extra="ignore")

    method: str
    seed: int
    skipped: Several[str]
    tokens: TokenSchedule | None = None
    blocks: int
    strategy: str
    trainable: int
    trainable_head: int
    parameters: int
    macs_g: Number
    part: str
    metric_name: str
    metric: Number
    measures: Measured
    terms: Several[Number] = ()
    train_s: Number
    evaluate_s: Number
    peak_gib: Number | None
    steps: int
    search_steps: int
    learning_rates: dict[str, Number]
    threads: int
    node: NodeFacts | None = None


def failure_of(folder: Path, code: int) -> str | None:
    """The reason why the job in ``folder`` failed, whose process ended with ``code``; ``None``: it has a result."""
    if (folder / RESULT).is_file():
        return None
    path = folder / FAILURE
    if path.is_file():
        return path.read_text(encoding="utf-8").strip()
    how = f"killed by signal {-code}; out of memory?" if code < 0 else f"ended with code {code}"
    return f"{how} (see {folder / LOG})"
