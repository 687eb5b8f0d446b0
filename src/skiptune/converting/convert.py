"""Convert checkpoints of the original ViLT, METER and DAS code, and GGUF files, to model directories.

A plain model becomes a directory of transformers. One with the DAS code's adapters becomes a slim model: its skipped
blocks are gone, as after a run of ours, and ``plan.json`` says which they were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ..config import SkipConfig
from ..core.errors import InputError
from ..core.files import write_atomically
from ..core.output_folders import behind_links, is_occupied, make_output_folder
from ..core.progress import busy
from ..core.validation import is_number, nearest
from ..exporting.export import export
from ..families.family import Family
from ..families.registry import family_of_type
from ..models.gguf import is_gguf
from ..models.processors import fit_tokenizer, read_tokenizer
from ..models.published import PUBLISHED
from ..plan import Plan
from ..tasks.entailment import Entailment
from ..tasks.reasoning import Reasoning
from ..tasks.retrieval import Retrieval
from ..tasks.task import Task
from ..tasks.vqa import Vqa
from . import (
    Hints,
    OriginalWeights,
    adapters_of_state,
    layout_of_state,
    model_from_original,
    read_checkpoint,
    released_plan,
    sizes_of_state,
)
from .checkpoint_file import Settings
from .conversion import Conversion
from .from_gguf import convert_gguf
from .layout import Layout
from .task_heads import PRETRAINED, TASKS, keeps_matching, labels_of, model_class_for, only_task


@dataclass(frozen=True)
class Supplement:
    """Facts about a checkpoint that the user adds.

    Attributes:
        image_size: side of the images in pixels; ``None``: that of the position table.
        heads: attention heads, where the width is not that of a published model and the checkpoint does not say.
        tokenizer: directory of the tokenizer, saved beside the model.
        answers: JSON file with the answers of a VQA head: a list in label order, or a mapping from answer to label.
        skip: the skipped blocks of a model with adapters, by name or by the released code's numbers, ``none`` for none;
            ``None``: as the checkpoint says, see :func:`skiptune.converting.released_plan`.
    """

    image_size: int | None = None
    heads: int | None = None
    tokenizer: str | Path | None = None
    answers: str | Path | None = None
    skip: str | None = None


def convert(
    checkpoint: str | Path,
    output: str | Path,
    task: str | None = None,
    given: Supplement | None = None,
    dtype: str | None = None,
) -> Conversion:
    """Write the model of an original checkpoint, or of a GGUF file, to the directory ``output``, whole or not at all.

    Args:
        checkpoint: a Lightning ``.ckpt``, a plain state dictionary, ``.safetensors``, a GGUF file of a language model,
            or the name of a published one whose package is installed, ``smollm2-135m``.
        output: a new or empty directory.
        task: one of ``TASKS``; ``None``: that of the only task head in the checkpoint, ``pretrained`` if it has none.
        given: facts that the checkpoint does not contain.
        dtype: kind of numbers that a GGUF file's weights are written in: ``float32`` (default), ``float16`` or
            ``bfloat16``.

    Raises:
        InputError: a file that is not read (see :func:`skiptune.converting.read_checkpoint`), keys that are unknown,
            missing or of sizes that do not go together, several task heads and no ``task``, arguments that have no
            meaning for this kind of file, or an ``output`` in use.
        RunError: the disk is full.
    """
    output, given = Path(output), given or Supplement()
    if is_occupied(output):
        raise InputError(f"{output}: exists and is not empty; name a new directory, or remove this one")
    checkpoint = _file_of(checkpoint)
    with busy("converting") as begin:
        if is_gguf(checkpoint) or checkpoint.suffix == ".gguf":
            _refuse_for_gguf(task, given)
            return convert_gguf(checkpoint, output, dtype or "float32", begin)
        if dtype is not None:
            raise InputError(f"dtype: {dtype!r}, but only GGUF files have a choice; leave --dtype off")
        return _convert_original(checkpoint, output, task, given)


def _file_of(checkpoint: str | Path) -> Path:
    """The file itself, or that of a published model of this name."""
    path = Path(checkpoint)
    return PUBLISHED[str(checkpoint)].path if str(checkpoint) in PUBLISHED and not path.exists() else path


def _refuse_for_gguf(task: str | None, given: Supplement) -> None:
    """Refuse what a GGUF file says itself, or has not."""
    options = {"task": task, **vars(given)}
    if found := [name.replace("_", "-") for name, value in options.items() if value is not None]:
        raise InputError(f"a GGUF file is whole, with its tokenizer and no task head; leave off --{', --'.join(found)}")


def _convert_original(checkpoint: Path, output: Path, task: str | None, given: Supplement) -> Conversion:
    """See :func:`convert`."""
    if task is not None and task not in TASKS:
        raise InputError(f"task: {task!r}{nearest(task, TASKS)}")
    read = read_checkpoint(checkpoint)
    with _naming(checkpoint):
        layout = layout_of_state(read.state)
        weights = layout.read(read.state)
        family = family_of_type(layout.config_class.model_type, layout.title)
        task = task or only_task(layout, family, weights)
        model_class = model_class_for(layout, family, task, weights)
        sizes = sizes_of_state(layout, read.state, _hints(read.settings, given))
        labels = labels_of(layout.head_of[model_class], weights, given.answers)
        skip_config = _adapters(layout, read.state, task, given.skip)
        keep = skip_config is None and keeps_matching(family, task, weights)
        matching = {"matching_loss": True} if keep else {}
        config = layout.config_class(**sizes, **labels.fields(), **matching)
        model = model_from_original(read.state, config, model_class, skip_config)
        plan = None if skip_config is None else released_plan(model, read, given.skip)
    side = given.image_size or family.sizes(model.config).image_size
    processor = _processor(family, model.config, side, given.tokenizer)
    parameters = sum(parameter.numel() for parameter in model.parameters())

    def write(folder: Path) -> None:
        if plan is None:
            model.save_pretrained(folder)
            processor.save_pretrained(folder)
        else:
            export(model, folder, plan, _task(task, processor, model.config.id2label))
            plan.save(folder / "plan.json")

    make_output_folder(output.parent)
    write_atomically(behind_links(output), write)
    return Conversion(
        title=layout.title,
        task=task,
        sizes=sizes,
        labels=labels.count or 1,
        parameters=parameters,
        heads=tuple(weights.heads),
        left_out=_left_out(layout, read.state, weights, layout.head_of[model_class], plan, keep),
        plan=plan,
        tokenizer=given.tokenizer is not None,
    )


def _task(name: str, processor: Any, labels: dict[int, str]) -> Task | None:
    """The task that a model with adapters is exported with; ``None`` without a task head."""
    if name == "vqa":
        return Vqa(processor, [labels[label] for label in sorted(labels)])
    makers = {"reasoning": Reasoning, "retrieval": Retrieval, "entailment": Entailment}
    return makers[name](processor) if name in makers else None


@contextmanager
def _naming(path: str | Path) -> Iterator[None]:
    """Put the file's name in front of errors about its content."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _hints(settings: Settings, given: Supplement) -> Hints:
    """The user's hints, else those of the checkpoint's own settings, if they make sense."""
    known = {name: settings.get(name) for name in ("num_heads", "max_text_len")}
    numbers = {name: int(value) for name, value in known.items() if value and is_number(value, 2, 4096, whole=True)}
    return Hints(given.heads or numbers.get("num_heads"), given.image_size, numbers.get("max_text_len"))


def _adapters(layout: Layout, state: Mapping[str, Tensor], task: str, skip: str | None) -> SkipConfig | None:
    skip_config = adapters_of_state(layout, state)
    if skip_config is None and skip is not None:
        raise InputError(f"skip: {skip!r}, but there are no adapters to stand in for skipped blocks; leave --skip off")
    if skip_config is not None and task == PRETRAINED:
        raise InputError("it has adapters, which belong to a task; choose the task with --task")
    return skip_config


def _processor(family: Family, config: Any, side: int, tokenizer: str | Path | None) -> Any:
    """Image settings of the family, with the tokenizer if one is given."""
    images = family.image_processor(config, side)
    if tokenizer is None:
        return images
    if not Path(tokenizer).is_dir():
        raise InputError(f"{tokenizer}: no such directory; --tokenizer names one with a tokenizer's files")
    words = read_tokenizer(tokenizer, getattr(config, "text_config", config))
    fit_tokenizer(words, family.sizes(config), str(tokenizer))
    return family.processors[0](images, words)


def _left_out(
    layout: Layout,
    state: Mapping[str, Tensor],
    weights: OriginalWeights,
    head: str | None,
    plan: Plan | None,
    matching: bool,
) -> dict[str, int]:
    """Dropped parts in words → number of tensors."""
    used = {"das_gate", "skip_num"} if plan is not None and plan.preferences is not None else set()
    reasons = (layout.reason_to_ignore(key) for key in state if key not in used)
    uses_itm = matching or (head == "rank" and "rank" not in weights.heads)
    heads = {
        f"the {name} head": len(tensors)
        for name, tensors in weights.heads.items()
        if name != head and not (name == "itm" and uses_itm)
    }
    return {**Counter(reason for reason in reasons if reason), **heads}
