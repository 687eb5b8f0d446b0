"""The results of a run, ``results.json``: written once by the run, read by the report card and the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from ..core.errors import InputError
from ..core.files import write_json
from ..core.measurements import Latency, MeasuredParts
from ..core.text_files import read_json
from ..core.validated import Number, Several, Validated
from ..core.validation import Problems
from .result_sections import (
    AdapterStart,
    Baseline,
    Bytes,
    ChosenPlan,
    History,
    InputSize,
    Metric,
    Operations,
    Parameters,
    RecordedRecipe,
    Records,
    Sample,
)


class Results(Validated):
    """All results of a run. Missing parts are left out of reports.

    Attributes:
        priors: what rules reach that see no image, by name and part of the data.
        relative_macs: change of operations by the plan, against the original model.
        answers: number of different answers, for tasks that have a vocabulary.
        seconds: wall time by step.
    """

    skiptune_version: str | None = None
    recipe: RecordedRecipe | None = None
    plan: ChosenPlan | None = None
    metric: Metric = Metric()
    samples: Several[Sample] = ()
    adapter_start: AdapterStart | None = None
    baselines: dict[str, Baseline] = Field(default={})
    priors: dict[str, MeasuredParts] = Field(default={})
    operations: Operations | None = None
    relative_macs: Number | None = None
    input: InputSize | None = None
    parameters: Parameters | None = None
    bytes: Bytes | None = None
    latency: Latency | None = None
    history: History = History()
    records: Records | None = None
    answers: int | None = None
    seconds: dict[str, Number | None] = Field(default={})
    seed: int | None = None
    versions: dict[str, str] = Field(default={})

    def check(self, problems: Problems) -> None:
        measure = self.metric.measure
        for owner, parts in {"metric": self.metric, **{f"baselines.{k}": v for k, v in self.baselines.items()}}.items():
            for part, found in parts.parts.items():
                problems.check(measure in found.metrics, f"{owner}.{part}: {measure} is missing")
        for batch, models in (self.latency.batches if self.latency else {}).items():
            for name in {"original", "slim"} - models.keys():
                problems.add(f"latency.batches.{batch}: {name} is missing")

    @classmethod
    def load(cls, path: Path) -> Results:
        """Read ``results.json``.

        Raises:
            InputError: missing or truncated file, or one that holds something else, with every field and value.
        """
        subject = f"{path}: not the results of a run; edited? Run its recipe again"
        found = cls.from_dict(read_json(path), subject)
        if found.plan is None:
            raise InputError(f"{subject}: there is no plan")
        return found

    def save(self, path: Path) -> None:
        """Write ``results.json``, whole or not at all."""
        write_json(path, self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """The content of ``results.json``."""
        return self.model_dump(exclude_unset=True)

    @property
    def beside(self) -> dict[str, MeasuredParts]:
        """Models and rules that were measured beside the plan's model, by name."""
        return {**self.baselines, **self.priors}

    def too_good(self, part: str) -> bool:
        """Whether the search compared subnetworks on this part of the data: then its measures are likely too good."""
        compared = self.plan.comparisons if self.plan else None
        return part == "validation" and compared is not None and compared.subnetworks > 0

    def __str__(self) -> str:
        """The lines that ``skiptune run`` ends with."""
        from .summary import summary_lines

        return "\n".join(summary_lines(self)).replace("−", "-")  # which not every terminal has
