"""The results of a run, ``results.json``: written once by the run, read by the report card and the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field

from ..core.errors import InputError
from ..core.files import write_json
from ..core.measurements import Latency
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

_RESERVED = " (validation that the search never saw)"


class Results(Validated):
    """All results of a run. Missing parts are left out of reports.

    Attributes:
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

    def too_good(self, part: str) -> bool:
        """Whether the search compared subnetworks on this part of the data: then its measures are likely too good."""
        compared = self.plan.comparisons if self.plan else None
        return part == "validation" and compared is not None and compared.subnetworks > 0

    def __str__(self) -> str:
        """The lines that ``skiptune run`` ends with."""
        return "\n".join(self._summary())

    def _summary(self) -> Iterator[str]:
        if self.plan is not None:
            yield f"skipped blocks:  {', '.join(self.plan.skipped) or 'none'} of {len(self.plan.blocks)}"
        measure = self.metric.measure
        for part, found in reversed(self.metric.parts.items()):
            label = f"{part} {measure}:"
            told = " (the plan was chosen on them)" if self.too_good(part) else _RESERVED if part == "reserved" else ""
            yield f"{label:<24} {found.metrics[measure]:.2%} of {found.count} {self.metric.unit}{told}"
            for error, value in found.errors.items():
                yield f"  {error + ':':<15}{value:.4g} in the unit of the values"
        for name, entry in self.baselines.items():
            for measured in list(entry.parts.values())[:1]:
                yield f"  {name + ':':<15}{measured.metrics[measure]:.2%}"
        if self.records is not None and self.records.bad_images:
            yield f"damaged images:  {self.records.bad_images}, replaced by the mean colour (logs/bad-images.log)"
        if self.relative_macs is not None:
            yield f"operations:      {self.relative_macs:+.1%} against the original model"
        for batch, models in (self.latency.batches if self.latency else {}).items():
            slim = models["slim"]
            yield f"latency ×{batch + ':':<8}{slim.ratio - 1:+.1%} ({slim.median_s * 1e3:.1f} ms)"
