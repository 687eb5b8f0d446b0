"""The model card of a plain checkpoint."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import ModelCard

from ...core.files import write_text
from ...core.templates import render
from ..card_parts import TASKS_IN_WORDS, card_metadata, measured_values, tags, task_name
from ..measures import Measures
from .record import RECORD, PlainRecord


def write_card(folder: Path, name: str, record: PlainRecord, generates: bool, sees: bool) -> None:
    """Write ``README.md`` of a plain checkpoint.

    Args:
        folder: with its files.
        name: of the model.
        record: of the model.
        generates: whether it generates text.
        sees: whether it takes images.

    Raises:
        InputError: ``extra`` holds something else under the names of :class:`Measures`.
    """
    measures = Measures.from_dict(record.extra, f"{name}: what was measured cannot go into a model card; edited?")
    task = task_name(record)
    text = render(
        __package__.rpartition(".")[0],
        "plain_card.md.j2",
        **measured_values(record, measures),
        name=name,
        task=task,
        task_text=TASKS_IN_WORDS.get(task, f"the task {task}"),
        architecture=record.architecture,
        generates=generates,
        sees=sees,
        adapters=record.skip_config.block_adapter,
        processor="AutoProcessor" if sees else "AutoTokenizer",
        record=RECORD,
    )
    form = {"library_name": "transformers", "tags": [name for name in tags(record) if sees or "vision" not in name]}
    if generates:
        form["pipeline_tag"] = "image-text-to-text" if sees else "text-generation"
    metadata = card_metadata(record, name, measures, **form)
    write_text(folder / "README.md", str(ModelCard(f"---\n{metadata.to_yaml()}\n---\n\n{text}")))
