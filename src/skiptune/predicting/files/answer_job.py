"""What a file of answers is made of: the model, the rows and how they are asked. Another job makes another file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import nn

from ...core.errors import InputError
from ...core.process import versions
from ...core.text_files import read_json
from ...core.validated import Several, Validated
from ...core.validation import Problems
from ...data.record_digests import asked_digest
from ...layers.blocks import SkippableBlock
from ...models.fingerprint import fingerprint
from ...tasks.task import Task
from ...version import __version__
from .asked_rows import AskedRows
from .asking import Asking

#: Fields of a configuration that tell where it was read and by what.
_ASIDE = ("_name_or_path", "transformers_version")


class AnswerJob(Validated):
    """The content of ``job.json`` beside the parts of a file of answers.

    Attributes:
        model: SHA-256 of weights, configuration, skipped blocks, token schedule, and of the task with its processor.
        rows: SHA-256 of what is asked, see :func:`skiptune.data.record_digests.asked_digest`.
        pictures: SHA-256 of the times at which the pictures were changed.
        count: of rows.
        asking: how they are asked.
        device: the kind that the model is on.
        versions: of the libraries.
    """

    model: str
    rows: str
    pictures: str
    count: int
    asking: Asking
    device: str
    versions: dict[str, str]

    @classmethod
    def of(cls, model: nn.Module, task: Task, asked: AskedRows, asking: Asking) -> AnswerJob:
        """The job of a model that is asked some rows."""
        digest = asked_digest(asked.records)
        device = next((parameter.device.type for parameter in model.parameters()), "cpu")
        return cls(
            model=model_digest(model, task),
            rows=digest.rows,
            pictures=digest.times,
            count=len(asked),
            asking=asking,
            device=device,
            versions={"skiptune": __version__, **versions()},
        )

    @classmethod
    def read(cls, path: Path) -> AnswerJob | None:
        """The job in a file; ``None``: there is none.

        Raises:
            InputError: it is damaged.
        """
        if not path.is_file():
            return None
        try:
            return cls.from_dict(read_json(path))
        except InputError:
            raise InputError(f"{path}: damaged; begin anew with --force (force=True)") from None

    def refuse_other(self, now: AnswerJob, output: Path) -> None:
        """Refuse to go on with another job.

        Raises:
            InputError: names everything that is different.
        """
        problems = Problems(f"{output}: begun with others; put back what has changed, or begin anew with --force")
        for line in self._other(now):
            problems.add(line)
        problems.raise_any()

    def _other(self, now: AnswerJob) -> Iterator[str]:
        if self.model != now.model:
            yield "model: another one, or its weights, task or processor have changed"
        if self.count != now.count:
            yield f"data: {now.count:,} rows; {self.count:,} when it was begun"
        elif self.rows != now.rows:
            yield "data: rows or images are others than when it was begun"
        elif self.pictures != now.pictures:
            yield "data: files of images have been changed since it was begun"
        old, new = ({**job.asking.to_dict(), "device": job.device, **job.versions} for job in (self, now))
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                yield f"{name}: {new.get(name)}; {old.get(name)} when it was begun"


class AnswersEnded(Validated):
    """The content of ``done.json``, while the parts of a file that is there are removed.

    Attributes:
        job: what the file is made of.
        errors, problems: of the file, see :class:`~skiptune.predicting.files.answer_output.AnswerFile`.
    """

    job: AnswerJob
    errors: int
    problems: Several[str]

    @classmethod
    def read(cls, path: Path) -> AnswersEnded | None:
        """The content of a file; ``None``: there is none, or it is damaged."""
        try:
            return cls.from_dict(read_json(path)) if path.is_file() else None
        except InputError:
            return None


def model_digest(model: nn.Module, task: Task) -> str:
    """SHA-256 of all that an answer depends on beside the row and how it is asked.

    Args:
        model: as it stands; of one without parameters its ``content_digest`` counts.
        task: of the model, with the processor.
    """
    held = [*model.named_parameters(), *model.named_buffers()]
    own = getattr(model, "content_digest", "")
    blocks = [(name, part) for name, part in model.named_modules() if isinstance(part, SkippableBlock)]
    skipped = [name for name, block in blocks if block.skipped]
    tokens = [(name, found.keep, found.way) for name, block in blocks if (found := block.reduction) is not None]
    content = [fingerprint(held), own, type(model).__name__, _fields(getattr(model, "config", None)), skipped]
    frozen = [name for name, block in blocks if block.frozen]
    content += [tokens, frozen] if tokens or frozen else []  # others' digests are as before
    processor = getattr(task.processor, "image_processor", task.processor)
    asked = [task.name, task.settings(), getattr(task, "decoding", None), _fields(processor)]
    return hashlib.sha256(json.dumps([*content, *asked], sort_keys=True, default=str).encode()).hexdigest()


def _fields(part: Any) -> dict[str, Any]:
    """The fields of a configuration or an image processor."""
    found = part.to_dict() if hasattr(part, "to_dict") else {}
    return {name: value for name, value in found.items() if name not in _ASIDE}
