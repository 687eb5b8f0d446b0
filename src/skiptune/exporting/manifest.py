"""The configuration of a slim model's directory, read and checked before anything is built."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from pydantic import (
    ConfigDict,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
)
from transformers.utils import GENERATION_CONFIG_NAME

from ..config.skip_config import KeptSkipConfig
from ..core.digests import refuse_broken_seal, sealed
from ..core.errors import InputError
from ..core.files import file_sha256, write_json
from ..core.model_types import SLIM
from ..core.text_files import read_json, says
from ..core.validated import Count, Several, Validated
from ..core.validation import Problems, nearest, problem_lines
from ..families.registry import family_of_type, model_class_named
from ..families.task_names import TaskName
from ..models.config_check import config_from_fields
from ..models.processor_files import PROCESSOR_FILES, matching
from ..plan import Plan, TokenSchedule, check_skipped
from .base_license import BaseLicense
from .own_classes import given_class

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from ..families.family import Family

MODEL_TYPE: Final = SLIM
CONFIG, WEIGHTS = "config.json", "slim.safetensors"
#: 2 names the SHA-256 of the weights' header, 1 (written by 0.2) that of the whole file.
FORMAT, READABLE = 2, (1, 2)
#: Files beside these two that are obeyed when the directory is read: their digests are kept.
OBEYED = (*PROCESSOR_FILES, GENERATION_CONFIG_NAME)
#: Numbers of every frozen weight that ``base_sample`` is taken of; exports of 0.2 have none.
SAMPLE = 16
Form = Literal["standalone", "adapters"]


class SkippedBlocks(Validated):
    """The skipped blocks.

    Attributes:
        family: of the model, e.g. ``vilt``.
        blocks: names of all skippable blocks, in model order.
        skipped: names of the skipped ones.
        tokens: where image tokens become fewer; ``None``: nowhere.
    """

    family: str
    blocks: Several[str]
    skipped: Several[str]
    tokens: TokenSchedule | None = None

    @classmethod
    def of(cls, plan: Plan) -> SkippedBlocks:
        """Those of a plan."""
        return cls(family=plan.family, blocks=plan.blocks, skipped=plan.skipped, tokens=plan.tokens)

    @model_serializer(mode="wrap")
    def _without_missing(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in serialize(self).items() if value is not None}

    @field_validator("skipped")
    @classmethod
    def _are_blocks(cls, skipped: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if "blocks" in info.data:
            try:
                check_skipped(skipped, info.data["blocks"])
            except InputError as error:
                raise ValueError("; ".join(problem_lines(error))) from None
        return skipped


class SavedTask(Validated):
    """The task that a model was trained for: its name, and beside it the settings of :meth:`Task.settings`.

    A task whose class is none of SkipTune's has the path of that class under ``class``.
    """

    model_config = ConfigDict(extra="allow")

    name: str

    def check(self, problems: Problems) -> None:
        known = self.own_class is not None or self.name in get_args(TaskName)
        problems.check(known, f"name: {self.name!r}{nearest(self.name, get_args(TaskName))}")

    @property
    def own_class(self) -> str | None:
        """The path of a class of the user's own."""
        found = (self.model_extra or {}).get("class")
        return None if found is None else str(found)

    @property
    def settings(self) -> dict[str, Any]:
        """Arguments of the task's class."""
        return {name: value for name, value in (self.model_extra or {}).items() if name != "class"}


class Manifest(Validated):
    """``config.json`` of a slim model. Unknown keys are preserved.

    Attributes:
        model_type: marks the directory as a slim model's.
        format: of the directory, see :data:`FORMAT`.
        skiptune_version: version that wrote it; empty: not recorded.
        versions: of the libraries then.
        form: ``standalone``: every weight is in the directory; ``adapters``: only the trained ones, the others are the
            base's.
        architecture: the name of the model's class.
        own_class: module and name of that class where it is one of the user's own; ``None``: it is in a family's table.
        base_config: transformers' configuration of the model, before blocks were skipped.
        base: name, path or hub id of the base model.
        base_fingerprint: fingerprint of the frozen weights of kept blocks.
        base_sample: of :data:`SAMPLE` numbers of each of them.
        skip_config: which adapters were inserted.
        plan: which blocks were skipped; ``strategy``: how they were chosen.
        license: inherited from the base; ``None``: not known, or written by a version that did not record it.
        task: what it was trained for; ``None``: exported without a task.
        parameters: number of remaining parameters.
        extra: what was measured, and other JSON values given at export.
        header_sha256: of the header of the file of weights (format 2).
        weights_sha256: of the whole file of weights (format 1).
        files: SHA-256 of the files of :data:`OBEYED` by name; ``None``: written by a version up to 0.3.
        sha256: of all other values; ``None`` likewise.
    """

    model_config = ConfigDict(extra="allow")

    model_type: Literal["skiptune-slim"] = "skiptune-slim"
    format: int
    skiptune_version: str = ""
    versions: dict[str, str] = Field(default={})
    form: Form
    architecture: str
    own_class: str | None = None
    base_config: dict[str, Any]
    base: str = ""
    base_fingerprint: str
    base_sample: str | None = None
    license: BaseLicense | None = None
    skip_config: KeptSkipConfig
    plan: SkippedBlocks
    strategy: str
    task: SavedTask | None = None
    parameters: Count | None = None
    extra: dict[str, Any] = Field(default={})
    header_sha256: str | None = None
    weights_sha256: str | None = None
    files: dict[str, str] | None = None
    sha256: str | None = None
    _given_class: type[PreTrainedModel] | None = PrivateAttr(None)

    @field_validator("format")
    @classmethod
    def _is_readable(cls, number: int) -> int:
        if number not in READABLE:
            raise ValueError(f"{number!r}, this version reads {' and '.join(map(str, READABLE))}")
        return number

    def check(self, problems: Problems) -> None:
        digest = "weights_sha256" if self.format == 1 else "header_sha256"
        problems.check(getattr(self, digest) is not None, f"{digest}: missing")
        try:
            _ = self.family
        except InputError as error:
            problems.add(f"architecture: {error}")

    def take_class(self, given: type[PreTrainedModel] | None) -> None:
        """Take the class that the user gives for the model, which one of the user's own needs.

        Raises:
            InputError: it is another one than was exported.
        """
        from transformers import PreTrainedModel

        if given is not None:
            path = self.own_class or f"SkipTune's {self.architecture}"
            self._given_class = given_class(given, PreTrainedModel, self.architecture, path, "model_class")

    @property
    def model_class(self) -> type[PreTrainedModel]:
        """The class of the model that adapters were inserted into.

        Raises:
            InputError: it is one of the user's own, and was not given.
        """
        if self._given_class is not None:
            return self._given_class
        if self.own_class is not None:
            raise InputError(
                f"its model is of a class of its own, {self.own_class}; import it and give it: "
                f"skiptune.load(directory, model_class={self.architecture})"
            )
        return model_class_named(self.architecture, self.base_config.get("model_type"))[0]

    @property
    def family(self) -> Family:
        """The family of the model."""
        model_type = self.base_config.get("model_type")
        if self.own_class is not None:
            return family_of_type(model_type, self.architecture)
        return model_class_named(self.architecture, model_type)[1]

    @property
    def config(self) -> Any:
        """transformers' configuration of the model, before blocks were skipped.

        Raises:
            InputError: no configuration can be made of it.
        """
        return config_from_fields(self.base_config, self.family.config_class, CONFIG)

    @property
    def skipping(self) -> Plan:
        """The plan that the model was pruned by."""
        plan = self.plan
        return Plan(plan.family, plan.blocks, plan.skipped, self.strategy, tokens=plan.tokens)

    def to_dict(self) -> dict[str, Any]:
        """As in ``config.json``; values that are not known have no key."""
        return {name: value for name, value in super().to_dict().items() if name in self.model_fields_set}

    def write(self, folder: Path) -> None:
        """Write ``config.json``, whole or not at all."""
        content = self.to_dict()
        write_json(folder / CONFIG, content if self.files is None else sealed(content))

    def check_files(self, folder: Path, patterns: tuple[str, ...] = OBEYED) -> None:
        """Refuse files of these names that are not those that were exported.

        Raises:
            InputError: names the first one.
        """
        if self.files is None:
            return
        present = {path.name: path for path in matching(folder, patterns)}
        known = {name for name in self.files if any(fnmatch(name, pattern) for pattern in patterns)}
        for name in sorted(known | present.keys()):
            if name not in known:
                raise InputError(f"{folder / name}: was not exported and would be obeyed; remove it")
            if name not in present or file_sha256(present[name]) != self.files[name]:
                raise InputError(
                    f"{folder / name}: differs from what was exported (SHA-256); edited or damaged? Export it again"
                )


def is_slim(directory: str | Path) -> bool:
    """Whether ``directory`` holds a slim model."""
    return says(Path(directory) / CONFIG, "model_type", MODEL_TYPE)


def read_manifest(folder: Path) -> Manifest:
    """The content of ``config.json``.

    Raises:
        InputError: not a slim model's, or edited; all problems in one message.
    """
    content = read_json(folder / CONFIG)
    found = content.get("model_type") if isinstance(content, dict) else content
    if found != MODEL_TYPE:
        raise InputError(f"{folder}: not a slim model (model_type {found!r}, expected {MODEL_TYPE!r})")
    manifest = Manifest.from_dict(content, f"{folder / CONFIG} is not valid")
    refuse_broken_seal(content, folder / CONFIG)
    return manifest
