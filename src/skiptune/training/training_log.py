"""The log of a training: time, steps, and losses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..core.errors import InputError
from ..core.files import write_json
from ..core.text_files import read_json
from ..plan import LoggedLoss


@dataclass(frozen=True)
class TrainingLog:
    """The log of one call of :func:`skiptune.fit`, or of the training steps of a search.

    Attributes:
        seconds: wall time of this call; a resumed training counts from the resume.
        steps: optimizer steps, those before a resume included.
        history: mean training losses, about fifty over the training.
    """

    seconds: float
    steps: int
    history: tuple[LoggedLoss, ...]

    def save(self, path: Path) -> None:
        """Write JSON, whole or not at all."""
        write_json(path, self.to_dict())

    def to_dict(self) -> dict[str, object]:
        """The content of that file."""
        history = [entry.to_dict() for entry in self.history]
        return {"seconds": self.seconds, "steps": self.steps, "history": history}

    @classmethod
    def load(cls, path: Path) -> TrainingLog:
        """Read what :meth:`save` wrote.

        Raises:
            InputError: missing, truncated or edited file.
        """
        content = read_json(path)
        try:
            history = tuple(LoggedLoss.from_dict(entry) for entry in content["history"])
            return cls(content["seconds"], content.get("steps", 0), history)
        except (AttributeError, InputError, KeyError, TypeError):
            raise InputError(f"{path}: not the log of a training; edited? Remove it to go on without") from None
