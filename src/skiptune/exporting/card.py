"""The model card of a slim model: description, skipped blocks, what was measured and what was not.

Everything comes from the ``config.json`` beside it; of its ``extra``, the card shows the fields of :class:`Measures`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import ModelCard

from ..core.files import write_text
from ..core.formatting import Markdown
from ..core.templates import render
from ..tasks.registry import TASKS
from .card_parts import TASKS_IN_WORDS, card_metadata, measured_values, task_name
from .manifest import WEIGHTS, Manifest
from .measures import Measures
from .onnx_files import ONNX_FILES


def model_card(manifest: Manifest, name: str, onnx: Sequence[str] = (), torch: bool = True) -> str:
    """The text of ``README.md`` with its metadata, for the manifest of a slim model called ``name``.

    Args:
        manifest: of the model.
        name: of the model.
        onnx: files of ONNX models in the directory.
        torch: whether it holds weights for torch.

    Raises:
        InputError: its ``extra`` holds something else under the names of :class:`Measures`.
    """
    measures = Measures.from_dict(manifest.extra, f"{name}: what was measured cannot go into a model card; edited?")
    task = task_name(manifest)
    text = render(
        __package__,
        "card.md.j2",
        **measured_values(manifest, measures),
        name=name,
        task=task,
        **_own_classes(manifest),
        text_optional=task in TASKS and not TASKS[task].needs_text,
        task_text=TASKS_IN_WORDS.get(task, f"the task {task}" if task else "a task that is not recorded"),
        form=manifest.form,
        onnx=onnx,
        torch=torch,
        adapters=manifest.skip_config.block_adapter,
    )
    return str(ModelCard(f"---\n{card_metadata(manifest, name, measures).to_yaml()}\n---\n\n{text}"))


def _own_classes(manifest: Manifest) -> dict[str, object]:
    """Classes of the user's own by their paths, and how loading is given them."""
    model, task = manifest.own_class, manifest.task.own_class if manifest.task else None

    def given(argument: str, path: str | None) -> Markdown:
        return Markdown(f", {argument}={path.rpartition('.')[2]}" if path else "")

    return {
        "own_classes": [path for path in (model, task) if path],
        "model_class": given("model_class", model),
        "task_class": given("task_class", task),
    }


def write_card(folder: Path, name: str, manifest: Manifest) -> None:
    """Write ``README.md`` of the directory ``folder``, whose weights are there, as that of a model called ``name``.

    Raises:
        InputError: as :func:`model_card`.
    """
    onnx = [file for file in ONNX_FILES.values() if (folder / file).is_file()]
    text = model_card(manifest, name, onnx, torch=(folder / WEIGHTS).is_file())
    write_text(folder / "README.md", text)
