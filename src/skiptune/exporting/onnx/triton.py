"""Write a slim model as a model of NVIDIA's Triton Inference Server: its directory in a model repository."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...core.errors import InputError
from ...core.files import write_atomically
from ...core.output_folders import behind_links, is_occupied, make_output_folder
from ...core.text_files import read_text
from ...models.processor_files import processor_files
from ...version import __version__
from ..onnx_files import ONNX_FILES
from .description import DESCRIPTION, OnnxDescription, read_description
from .session import load_onnx
from .write import export_onnx

CONFIG, CLIENT, LABELS = "config.pbtxt", "client", "labels.txt"
#: Examples that Triton may run together; it asks for a bound.
MOST_TOGETHER = 32
#: Microseconds that a request waits for others.
WAIT = 2000
_MARK = "# Written by skiptune export --triton"
#: onnxruntime's names of types → Triton's.
_TYPES = {"tensor(int64)": "TYPE_INT64", "tensor(float)": "TYPE_FP32"}


def export_triton(source: str | Path, directory: str | Path, int8: bool = False, base: str | None = None) -> Path:
    """Write a slim model as one model of a Triton model repository, whole or not at all.

    ``1/model.onnx`` is the model as :func:`skiptune.export_onnx` writes it, ``config.pbtxt`` says what it takes and
    gives, read off the file, and ``client/`` holds what a client prepares pictures and texts with: Triton passes it by.

    Args:
        source: a slim directory, or one that holds an ONNX model already.
        directory: of the model, in the repository: its name is the model's. An earlier one is replaced.
        int8: the model whose matrix products run on 8-bit integers.
        base: another place of the base model, for a slim directory of the ``adapters`` form.

    Raises:
        InputError: as :func:`skiptune.export_onnx`, or the directory holds something else.
        RunError: likewise.
    """
    folder, target = Path(source), Path(directory)
    if is_occupied(target) and not _is_triton(target):
        raise InputError(f"{target}: holds something else than a model for Triton; name another directory")
    make_output_folder(target.parent)
    backend = "onnx-int8" if int8 else "onnx"
    if (folder / DESCRIPTION).is_file() and backend in read_description(folder).models:
        write_atomically(behind_links(target), lambda written: _write(folder, backend, written))
        return target
    with tempfile.TemporaryDirectory() as temporary:
        made = export_onnx(folder, Path(temporary) / "onnx", int8, base)
        write_atomically(behind_links(target), lambda written: _write(made, backend, written))
    return target


def _write(folder: Path, backend: str, target: Path) -> None:
    """The directory of an ONNX export's model."""
    model, description = load_onnx(folder, backend), read_description(folder)
    (target / "1").mkdir(parents=True)
    (target / CLIENT).mkdir()
    for name in description.models[backend].sha256:  # weights in a file beside the graph are found by their name
        shutil.copyfile(folder / name, target / "1" / ("model.onnx" if name == ONNX_FILES[backend] else name))
    for path in (*processor_files(folder), folder / DESCRIPTION):
        shutil.copyfile(path, target / CLIENT / path.name)
    labels = _labels(description)
    if labels:
        (target / LABELS).write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")
    (target / CONFIG).write_text(_config(model.session, labels), encoding="utf-8")


def _config(session: Any, labels: Sequence[str]) -> str:
    """``config.pbtxt``. Triton adds the batch to the shapes by itself."""
    blocks = [
        f"input [\n{_joined(_tensor(entry) for entry in session.get_inputs())}\n]",
        f"output [\n{_joined(_tensor(entry, labels) for entry in session.get_outputs())}\n]",
    ]
    return (
        f'{_MARK}, version {__version__}. Shapes and types are those of the file.\nbackend: "onnxruntime"\n'
        f"max_batch_size: {MOST_TOGETHER}\n{chr(10).join(blocks)}\n"
        f"dynamic_batching {{ max_queue_delay_microseconds: {WAIT} }}\n"
    )


def _joined(tensors: Any) -> str:
    return ",\n".join(tensors)


def _tensor(entry: Any, labels: Sequence[str] = ()) -> str:
    """An input or an output, without its first axis, the batch; -1 is any length."""
    lengths = ", ".join(str(length) if isinstance(length, int) else "-1" for length in entry.shape[1:])
    named = f' label_filename: "{LABELS}"' if labels else ""
    return f'  {{ name: "{entry.name}" data_type: {_TYPES[entry.type]} dims: [ {lengths} ]{named} }}'


def _labels(description: OnnxDescription) -> list[str]:
    """What the places of the output stand for; empty: nothing, or it is not recorded, or a line could not hold one."""
    found = [] if description.use is None else next(iter(description.use.outputs.values())).labels
    return [] if any("\n" in label or "\r" in label for label in found) else found


def _is_triton(folder: Path) -> bool:
    """Whether this wrote the directory."""
    path = folder / CONFIG
    return path.is_file() and read_text(path).startswith(_MARK)
