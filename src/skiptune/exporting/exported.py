"""What a directory says of the model in it, whatever its form."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from ..config import SkipConfig
from .base_license import BaseLicense
from .manifest import SavedTask, SkippedBlocks, read_manifest
from .plain.record import is_plain, read_record


class Exported(Protocol):
    """The values that :class:`~skiptune.exporting.manifest.Manifest` and the record of a plain checkpoint share."""

    @property
    def architecture(self) -> str: ...
    @property
    def base(self) -> str: ...
    @property
    def base_fingerprint(self) -> str: ...
    @property
    def skiptune_version(self) -> str: ...
    @property
    def versions(self) -> dict[str, str]: ...
    @property
    def skip_config(self) -> SkipConfig: ...
    @property
    def plan(self) -> SkippedBlocks: ...
    @property
    def strategy(self) -> str: ...
    @property
    def license(self) -> BaseLicense | None: ...
    @property
    def task(self) -> SavedTask | None: ...
    @property
    def parameters(self) -> int | None: ...
    @property
    def extra(self) -> dict[str, Any]: ...


def read_exported(folder: Path) -> Exported:
    """What a slim directory or plain checkpoint says of its model.

    Raises:
        InputError: it is neither, or it was edited.
    """
    return read_record(folder) if is_plain(folder) else read_manifest(folder)
