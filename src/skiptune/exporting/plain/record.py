"""``skiptune.json`` of a plain checkpoint: what was skipped and measured. transformers does not read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

from pydantic import ConfigDict, Field

from ...config import SkipConfig
from ...core.digests import refuse_broken_seal, sealed
from ...core.errors import InputError
from ...core.files import file_sha256, write_json
from ...core.text_files import read_json, says
from ...core.validated import Count, Validated
from ..base_license import BaseLicense
from ..manifest import SavedTask, SkippedBlocks

RECORD: Final = "skiptune.json"
KIND: Final = "plain-checkpoint"


class PlainRecord(Validated):
    """What a plain checkpoint was made of. Unknown keys are preserved.

    Attributes:
        kind: marks the file.
        format: of the file.
        skiptune_version: version that wrote it.
        versions: of the libraries then.
        architecture: name of transformers' class.
        base: name, path or hub id of the model that blocks were skipped of.
        base_fingerprint: fingerprint of its frozen weights that are left.
        skip_config: which adapters were inserted, and are merged or gone.
        plan: which blocks were skipped, by their names before; ``strategy``: how they were chosen.
        license: inherited from the base; ``None``: not known.
        task: what it was trained for; ``None``: exported without a task.
        parameters: how many are left.
        extra: what was measured, and other JSON values given at export.
        files: SHA-256 of the other files by name, without the card.
        sha256: of all other values.
    """

    model_config = ConfigDict(extra="allow")

    kind: Literal["plain-checkpoint"] = KIND
    format: Literal[1] = 1
    skiptune_version: str = ""
    versions: dict[str, str] = Field(default={})
    architecture: str
    base: str = ""
    base_fingerprint: str
    skip_config: SkipConfig
    plan: SkippedBlocks
    strategy: str
    license: BaseLicense | None = None
    task: SavedTask | None = None
    parameters: Count | None = None
    extra: dict[str, Any] = Field(default={})
    files: dict[str, str]
    sha256: str | None = None

    def write(self, folder: Path) -> None:
        """Write the file, whole or not at all."""
        write_json(folder / RECORD, sealed(self.to_dict()))

    def check_files(self, folder: Path, verify: bool) -> None:
        """Refuse files that are not those that were exported; those with weights are read only with ``verify``.

        Raises:
            InputError: names the first one.
        """
        for name, digest in self.files.items():
            path = folder / name
            looked_at = verify or path.suffix != ".safetensors"
            if looked_at and not (path.is_file() and file_sha256(path) == digest):
                raise InputError(
                    f"{path}: differs from what was exported (SHA-256); transformers reads it unchecked, or export it "
                    "again"
                )


def is_plain(folder: str | Path) -> bool:
    """Whether ``folder`` holds a plain checkpoint."""
    return says(Path(folder) / RECORD, "kind", KIND)


def read_record(folder: Path) -> PlainRecord:
    """The content of ``skiptune.json``.

    Raises:
        InputError: it is damaged or edited; all problems in one message.
    """
    content = read_json(folder / RECORD)
    record = PlainRecord.from_dict(content, f"{folder / RECORD} is not valid")
    refuse_broken_seal(content, folder / RECORD)
    return record
