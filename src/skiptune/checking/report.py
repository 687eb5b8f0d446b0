"""The report of the data doctor."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from .answer_checks import AnswerSummary
from .finding import Finding
from .model_view import ModelView
from .shown_rows import ShownRow


@dataclass(frozen=True)
class PartReport:
    """A part of the data.

    Attributes:
        name: ``train``, ``validation`` or ``test``.
        source: the file.
        rows: in the file.
        usable: that a run would use.
        images: different ones.
        images_looked_at: that were decoded.
        model: the rows that went through the model's processor; ``None``: there is no model.
        answers: of its rows; ``None``: none are known.
    """

    name: str
    source: str
    rows: int
    usable: int
    images: int
    images_looked_at: int
    model: ModelView | None
    answers: AnswerSummary | None


@dataclass(frozen=True)
class DataReport:
    """What was found in data, as :func:`skiptune.check_data` gives it.

    Attributes:
        task: its name; empty: the rows' fields told it.
        model: the model; empty: none was given.
        parts: what each part holds.
        findings: what is wrong, in groups, faults first.
        rows: some rows as the model sees them.
    """

    task: str
    model: str
    parts: tuple[PartReport, ...]
    findings: tuple[Finding, ...]
    rows: tuple[ShownRow, ...]

    @property
    def faults(self) -> tuple[Finding, ...]:
        """What would spoil a training or its numbers."""
        return tuple(finding for finding in self.findings if finding.level == "fault")

    @property
    def remarks(self) -> tuple[Finding, ...]:
        """What is worth a look."""
        return tuple(finding for finding in self.findings if finding.level == "remark")

    def found(self, kind: str) -> int:
        """How many things of a kind were found, in all parts."""
        return sum(finding.count for finding in self.findings if finding.kind == kind)

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values; images of shown rows by their names."""
        from ..data.pictures import name_of

        rows = [
            {
                "place": row.place,
                "part": row.part,
                "segments": [asdict(segment) for segment in row.segments],
                "images": [name_of(picture) for picture in row.pictures],
            }
            for row in self.rows
        ]
        return {
            "task": self.task,
            "model": self.model,
            "faults": len(self.faults),
            "remarks": len(self.remarks),
            "parts": [asdict(part) for part in self.parts],
            "findings": [asdict(finding) for finding in self.findings],
            "rows": rows,
        }
