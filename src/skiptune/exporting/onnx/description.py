"""``onnx.json``: how to use an ONNX model, and its difference to the torch model at export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, field_validator

from ...core.digests import refuse_broken_seal, sealed
from ...core.errors import InputError
from ...core.files import write_json
from ...core.text_files import read_json
from ...core.validated import Count, Number, Pair, Validated
from .outside_use import OutsideUse

DESCRIPTION = "onnx.json"
FORMAT = 1


class ComparedBatch(Validated):
    """A batch that both models ran.

    Attributes:
        shapes: of the inputs.
        relative_difference: the largest of an output, relative to the largest output of the batch.
    """

    shapes: dict[str, list[int]]
    relative_difference: Number


class ComparedModel(Validated):
    """An ONNX model, compared with the torch model on random examples.

    Attributes:
        sha256: of its files, by name.
        relative_difference: the largest of all batches.
        batches: the batches on which they were compared.
        same_choice: examples for which both models have the same highest output, of ``rows``.
    """

    model_config = ConfigDict(extra="allow")

    sha256: dict[str, str]
    relative_difference: Number
    batches: list[ComparedBatch]
    same_choice: int
    rows: int


class OnnxDescription(Validated):
    """The content of ``onnx.json``. Unknown keys are preserved.

    Attributes:
        format: of the directory.
        skiptune_version, versions: of SkipTune and of the libraries that wrote it.
        model_type: of the model's family.
        head: the task's name in the family's table of classes.
        image_size: height and width in pixels that images must have; ``None``: any multiples of ``patch_size``.
        inputs: the shapes of all inputs, dynamic axes by name.
        models: backend to its model.
        use: what a program without SkipTune has to know; ``None``: exported without a task, or by a version up to 0.3.
    """

    model_config = ConfigDict(extra="allow")

    format: int
    skiptune_version: str = ""
    model_type: str
    head: str
    image_size: Pair[Count] | None
    patch_size: Count
    inputs: dict[str, list[int | str]]
    models: dict[str, ComparedModel]
    use: OutsideUse | None = None
    versions: dict[str, str] = Field(default={})

    @field_validator("format")
    @classmethod
    def _is_readable(cls, number: int) -> int:
        if number != FORMAT:
            raise ValueError(f"{number!r}, this version reads {FORMAT}")
        return number

    def to_dict(self) -> dict[str, Any]:
        """As in ``onnx.json``; values that are not known have no key."""
        found = super().to_dict()
        if found.get("use") is None:
            del found["use"]
        return found

    def write(self, folder: Path) -> None:
        """Write ``onnx.json``, whole or not at all."""
        write_json(folder / DESCRIPTION, sealed(self.to_dict()))


def read_description(folder: Path) -> OnnxDescription:
    """The content of ``onnx.json``.

    Raises:
        InputError: missing, truncated or edited; all problems in one message.
    """
    path = folder / DESCRIPTION
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: not the description of an ONNX model; edited? Export it again")
    found = OnnxDescription.from_dict(content, f"{path} is not valid")
    refuse_broken_seal(content, path)
    return found
