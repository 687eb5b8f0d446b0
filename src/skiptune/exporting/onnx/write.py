"""Export slim models as ONNX files, which are compared with the torch model before they are kept."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

from PIL import Image
from torch import Tensor
from transformers import PreTrainedModel

from ...core.errors import InputError, RunError
from ...core.extras import require_extra
from ...core.files import file_sha256, write_atomically
from ...core.output_folders import behind_links
from ...core.process import versions
from ...core.progress import busy, console
from ...families.registry import family_of
from ...inserting.adapted_class import plain_class
from ...plan import Plan
from ...tasks.task import Task
from ...version import __version__
from ..card import write_card
from ..export import export
from ..load import load
from ..load_task import load_task
from ..manifest import is_slim, read_manifest
from ..onnx_files import ONNX_FILES
from ..output import check_output
from ..own_classes import own_model_class
from ..plain.record import is_plain
from .description import DESCRIPTION, FORMAT, ComparedBatch, ComparedModel, OnnxDescription, read_description
from .outside_use import OutsideUse
from .session import make
from .trace import Graph, Inputs, quantise, torch_logits, trace

#: Largest difference of an output to torch's, relative to the largest output of the batch.
TOLERANCE = 1e-4
#: Bytes above which weights go into a file beside the model: one message of the format holds less than 2 GiB.
_LARGE = 1_900_000_000
_LIBRARIES = ("onnx", "onnxscript", "onnxruntime")
_WEIGHTS = ".safetensors"


def export_onnx(
    source: str | Path | PreTrainedModel,
    directory: str | Path | None = None,
    int8: bool = False,
    base: str | None = None,
    plan: Plan | None = None,
    task: Task | None = None,
) -> Path:
    """Write a slim model as ``model.onnx``, with configuration and processor, whole or not at all.

    Args:
        source: a slim directory, or a model with adapters.
        directory: the output; an earlier export there is replaced. ``None``, or the slim directory itself: beside its
            torch weights.
        int8: write ``model-int8.onnx`` as well, whose matrix products run on 8-bit integers.
        base: another place of the base model, for a slim directory of the ``adapters`` form.
        plan: of a model: blocks to skip; ``None``: those it skips now.
        task: of a model: saved beside it, so that questions can be asked of the directory alone.

    Returns:
        The directory; ``onnx.json`` in it says how far the outputs were from torch's.

    Raises:
        InputError: not a slim model, an image processor that gives images of different size to a family that takes one
            size, or the extra ``onnx`` is not installed.
        RunError: outputs differ from torch's by more than 1e-4 relative, or the disk is full.
    """
    require_extra("onnx", *_LIBRARIES)
    if isinstance(source, PreTrainedModel):
        if directory is None:
            raise InputError("directory: a model needs one to be written to")
        _refuse_own_class(own_model_class(plain_class(source), source.config.model_type))
        with tempfile.TemporaryDirectory() as temporary:
            slim = export(source, Path(temporary) / "slim", plan, task)
            return export_onnx(slim, directory, int8)
    folder = Path(source)
    target = folder if directory is None else Path(directory)
    if not is_slim(folder):
        if is_plain(folder):
            raise InputError(f"{folder}: a plain checkpoint; ONNX is written of a run or of its slim model")
        raise InputError(f"{folder}: not a slim model; skiptune.export writes one")
    check_output(target)
    _refuse_own_class(read_manifest(folder).own_class)
    model = load(folder, base)
    saved = load_task(folder, model) if model.manifest.task is not None else None
    graph = Graph.of(model, _image_size(model, folder, saved))
    beside = target.resolve() == folder.resolve()

    def write(temporary: Path) -> None:
        temporary.mkdir()
        for file in folder.iterdir():
            if beside and file.suffix == _WEIGHTS:
                _link(file, temporary / file.name)
            elif file.name != DESCRIPTION and file.suffix not in (_WEIGHTS, ".onnx", ".data"):
                shutil.copyfile(file, temporary / file.name)
        _write_models(model, temporary, graph, int8, None if saved is None else OutsideUse.of(model, saved, graph))
        write_card(temporary, target.name, model.manifest)

    write_atomically(behind_links(target.resolve() if beside else target), write)
    return target


def onnx_lines(directory: str | Path) -> list[str]:
    """Lines about an export, one per file."""
    folder = Path(directory)
    lines = []
    for backend, found in read_description(folder).models.items():
        size = sum((folder / name).stat().st_size for name in found.sha256)
        difference, rows = found.relative_difference, found.rows
        said = f", same choice in {found.same_choice} of {rows}" if backend == "onnx-int8" else ""
        lines.append(
            f"{folder / ONNX_FILES[backend]}: {size / 2**20:.1f} MiB; on {rows} random examples at most "
            f"{difference:.1e} (relative) from torch{said}"
        )
    return lines


def _write_models(model: PreTrainedModel, folder: Path, graph: Graph, int8: bool, use: OutsideUse | None) -> None:
    """The files of both models and their description."""
    description = OnnxDescription(
        format=FORMAT,
        skiptune_version=__version__,
        model_type=model.config.model_type,
        head=graph.head,
        image_size=graph.image_size,
        patch_size=family_of(model).sizes(model.config).patch_size,
        inputs=graph.shapes(),
        models={},
        use=use,
        versions={**versions(), **{name: version(name) for name in _LIBRARIES}},
    )
    expected = [torch_logits(model, inputs) for inputs in graph.batches]
    large = sum(value.nbytes for value in model.state_dict().values()) > _LARGE
    path, smaller = (folder / ONNX_FILES[backend] for backend in ("onnx", "onnx-int8"))
    console.print(f"exporting {type(model).__name__} to ONNX")
    with busy("ONNX") as begin:
        begin("tracing")
        trace(model, graph, path, large)
        begin("comparing with torch")
        found = _compare(path, description, graph.batches, expected)
    if found.relative_difference > TOLERANCE:
        batches = [batch.to_dict() for batch in found.batches]
        raise RunError(
            f"{path.name}: outputs differ from torch's by {found.relative_difference:.1e} relative, allowed are "
            f"{TOLERANCE:.0e}; by batch: {batches}"
        )
    models = {"onnx": found}
    if int8:
        with busy("8 bits"):
            quantise(path, smaller, large)
            models["onnx-int8"] = _compare(smaller, description, graph.batches, expected)
    description.replace(models=models).write(folder)


def _compare(path: Path, description: OnnxDescription, batches: list[Inputs], expected: list[Tensor]) -> ComparedModel:
    """The difference of a file's outputs to those of the torch model, and digests of its files."""
    session = make(path, description)
    found: list[ComparedBatch] = []
    same = 0
    for inputs, wanted in zip(batches, expected, strict=True):
        shapes = {name: list(value.shape) for name, value in inputs.items()}
        got: Tensor = session(**inputs).logits
        difference = float((got - wanted).abs().max() / wanted.abs().max()) if got.shape == wanted.shape else math.nan
        if not math.isfinite(difference):
            raise RunError(f"{path.name}: gives other shapes than torch, or no finite numbers, for {shapes}")
        found.append(ComparedBatch(shapes=shapes, relative_difference=difference))
        same += int((got.argmax(1) == wanted.argmax(1)).sum())
    return ComparedModel(
        sha256={file.name: file_sha256(file) for file in (path, *path.parent.glob(f"{path.name}.data"))},
        relative_difference=max(batch.relative_difference for batch in found),
        batches=found,
        same_choice=same,
        rows=sum(len(wanted) for wanted in expected),
    )


def _image_size(model: PreTrainedModel, folder: Path, task: Task | None) -> tuple[int, int] | None:
    """Height and width that the image processor gives; ``None``: any."""
    family = family_of(model)
    if family.pads_images:
        return None
    side = family.sizes(model.config).image_size
    if task is None:
        return side, side
    images = task.images
    tried = [Image.new("RGB", size) for size in ((side, side), (side, 2 * side), (2 * side, side))]
    found = sorted({images.pixels(image).shape[1:] for image in tried})
    if len(found) > 1:
        raise InputError(
            f"{folder}: its image processor gives images of different size, {found}, and {family.name} as ONNX takes "
            "one size; let the processor crop or resize to it (BridgeTower's: do_center_crop=True)"
        )
    height, width = found[0]
    return int(height), int(width)


def _refuse_own_class(path: str | None) -> None:
    """Refuse a model whose class is one of the user's own: nothing says what its inputs are."""
    if path is not None:
        raise InputError(f"{path}: a class of your own cannot be written as ONNX; export the model for torch")


def _link(source: Path, target: Path) -> None:
    """The same file under another name; a copy where that is not possible. Weights are replaced, never changed."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)
