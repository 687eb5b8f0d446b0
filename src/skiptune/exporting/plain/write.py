"""Write a plain checkpoint: all that transformers' own class and processor read, and a record of what was skipped."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from transformers import GenerationConfig, PreTrainedModel

from ...core.files import file_sha256, write_atomically
from ...core.output_folders import behind_links
from ...core.process import versions
from ...families.registry import family_of
from ...inserting.frozen_names import frozen_names
from ...inserting.pruning import prune
from ...inserting.selection import blocks_of, check_plan, choose
from ...models.construction import without_their_bars
from ...models.fingerprint import fingerprint
from ...models.generation_files import write_generation
from ...plan import Plan
from ...tasks.task import Task
from ...version import __version__
from ..base_license import base_license
from ..manifest import SkippedBlocks
from ..output import check_output
from ..saved_task import saved_task
from .build import plain_model
from .card import write_card
from .expected import Expected
from .processor import write_processor
from .record import PlainRecord
from .refusals import check_plain, check_tokens
from .stacks import stacks_of

_LARGEST_FILE = "5GB"


def write_plain(
    model: PreTrainedModel, directory: Path, plan: Plan, task: Task | None, base: str, extra: dict[str, Any]
) -> Path:
    """Write ``model`` without the skipped blocks of ``plan`` to ``directory``, whole or not at all.

    It is read by transformers' class and compared with ``model``, before it takes the place of an earlier export. The
    arguments are those of :func:`skiptune.export`.

    Raises:
        InputError: it cannot be plain, see :func:`~skiptune.exporting.plain.refusals.check_plain`, or is not what
            ``model`` is.
        RunError: the disk is full.
    """
    check_plan(model, plan)
    check_tokens(plan.tokens)
    model_class = check_plain(model, plan.skipped)
    begun = _begun(model, plan, task, base, extra).replace(architecture=model_class.__name__)
    check_output(directory)
    frozen, device = frozen_names(model), model.device
    whole = copy.deepcopy(model).eval()
    stacks = stacks_of(whole, blocks_of(whole), plan.skipped)
    choose(whole, plan)
    expected = Expected.of(whole, stacks)
    prune(whole, plan)
    left = fingerprint((name, value) for name, value in whole.state_dict().items() if name in frozen)
    made: Any = plain_model(whole, stacks, model_class)
    whole = None  # the weights that are left are those of ``made``

    def write(folder: Path) -> None:
        folder.mkdir()
        _save(made, folder)
        write_processor(folder, task, base)
        expected.check(folder, model_class, device)
        record = begun.replace(
            base_fingerprint=left,
            parameters=sum(value.numel() for value in made.parameters()),
            files={path.relative_to(folder).as_posix(): file_sha256(path) for path in _files(folder)},
        )
        record.write(folder)
        write_card(folder, directory.name, record, generates=made.can_generate(), sees=_sees(made))

    write_atomically(behind_links(directory), write)
    return directory


def _begun(model: PreTrainedModel, plan: Plan, task: Task | None, base: str, extra: dict[str, Any]) -> PlainRecord:
    """The record, as far as it is known before any work."""
    return PlainRecord(
        skiptune_version=__version__,
        versions=versions(),
        architecture="",
        base=base,
        base_fingerprint="",
        skip_config=model.skip_config,
        plan=SkippedBlocks.of(plan),
        strategy=plan.strategy,
        license=base_license(str(getattr(model, "name_or_path", ""))) or base_license(base),
        task=None if task is None else saved_task(task),
        extra=extra,
        files={},
    )


def _save(made: Any, folder: Path) -> None:
    """All that transformers reads, its configuration of generation as it is."""
    generation = made.generation_config
    if generation is not None:
        made.generation_config = GenerationConfig()
    with without_their_bars():
        made.save_pretrained(folder, max_shard_size=_LARGEST_FILE)
    write_generation(generation, folder)


def _files(folder: Path) -> list[Path]:
    """Those in a directory and in the directories in it."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _sees(made: PreTrainedModel) -> bool:
    """Whether a model takes images."""
    return family_of(made).sizes(made.config).image_size > 0
