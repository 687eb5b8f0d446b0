"""The model card of a slim model: description, skipped blocks, what was measured and what was not.

Everything comes from the ``config.json`` beside it; of its ``extra``, the card shows the fields of :class:`Measures`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from ..core.files import write_text
from ..core.formatting import Markdown, counted, markdown, milliseconds, sentence
from ..core.measured_text import (
    TIMED,
    beside,
    difference,
    latency_change,
    quality,
    share,
    timing_warnings,
    verdict,
)
from ..core.templates import render
from ..models.architectures import ARCHITECTURES
from ..models.embedded import EMBEDDED
from ..tasks.registry import TASKS
from .base_license import BaseLicense, base_license
from .hub import others_have
from .manifest import WEIGHTS, Manifest
from .measures import Measures
from .onnx_files import ONNX_FILES

LIBRARY = "skiptune"
#: Our task → the hub's, where it has one.
_PIPELINES = {"vqa": "visual-question-answering"}
_TASKS = {
    "vqa": "visual question answering",
    "reasoning": "visual reasoning over one or two images",
    "retrieval": "image-text retrieval",
    "entailment": "visual entailment",
    "classification": "classification of images, with or without a text",
    "regression": "regression: a number for an image, with or without a text",
}
#: Data that are one well-known set; formats of files are not.
_SETS = ("easy-vqa", "vqav2", "nlvr2", "nlvr", "snli-ve")
_OWN = "this model"


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
    task, license = _task(manifest), manifest.license or base_license(manifest.base)
    rows = list(_quality_rows(measures, task))
    text = render(
        __package__,
        "card.md.j2",
        name=name,
        task=task,
        **_own_classes(manifest),
        text_optional=task in TASKS and not TASKS[task].needs_text,
        task_text=_TASKS.get(task, f"the task {task}" if task else "a task that is not recorded"),
        base=_base(manifest),
        license=license,
        form=manifest.form,
        onnx=onnx,
        torch=torch,
        parameters=manifest.parameters,
        blocks=manifest.plan.blocks,
        skipped=manifest.plan.skipped,
        strategy=manifest.strategy,
        adapters=manifest.skip_config.block_adapter,
        quality_rows=rows,
        unskipped_known="unskipped" in measures.baselines,
        differences=any(row[-1] for row in rows),
        too_good=measures.compared_on if measures.compared_on in measures.accuracy.parts else None,
        reserved="reserved" in measures.accuracy.parts,
        latency=measures.latency,
        image_size=measures.image_size,
        latency_rows=list(_latency_rows(measures)),
        counted=counted,
        warnings=[sentence(told) for told in timing_warnings(measures.latency)] if measures.latency else [],
        training_rows=list(_training(manifest, measures).items()),
    )
    return str(ModelCard(f"---\n{_metadata(manifest, name, measures, license).to_yaml()}\n---\n\n{text}"))


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


def _metadata(manifest: Manifest, name: str, measures: Measures, license: BaseLicense | None) -> ModelCardData:
    task = _task(manifest)
    results = list(_results(task, measures))
    return ModelCardData(
        library_name=LIBRARY,
        pipeline_tag=_PIPELINES.get(task),
        base_model=manifest.base if others_have(manifest.base) else None,
        license=license.identifier if license else None,
        license_name=license.name if license and license.identifier == "other" else None,
        license_link=license.url if license and license.identifier == "other" else None,
        tags=[
            LIBRARY,
            manifest.plan.family,
            "vision-language",
            "dynamic-architecture-skipping",
            *([task] if task else []),
        ],
        datasets=[measures.data] if measures.data in _SETS else None,
        model_name=name if results else None,
        eval_results=results or None,
    )


def _results(task: str, measures: Measures) -> Iterator[EvalResult]:
    """Measures on the part to report, as the hub's model index has them: test, else reserved, else validation."""
    data = measures.data or "unknown"
    for part, found in list(measures.accuracy.parts.items())[:1]:
        for metric, value in found.metrics.items():
            yield EvalResult(
                task_type=_PIPELINES.get(task, task or "other"),
                dataset_type=data,
                dataset_name=data,
                dataset_split=part,
                metric_type=metric,
                metric_name=metric,
                metric_value=round(value, 6),
            )


def _quality_rows(measures: Measures, task: str) -> Iterator[tuple[str, ...]]:
    """One row per model, part and measure; the headline has its interval and this model's difference."""
    if not measures.accuracy.parts:
        return
    unit = "questions" if task == "vqa" else ""
    others = {beside(name, unit): found for name, found in {**measures.baselines, **measures.priors}.items()}
    for model, parts in {_OWN: measures.accuracy, **others}.items():
        for part, found in parts.parts.items():
            count = "" if found.count is None else f"{found.count:,}"
            for place, (metric, value) in enumerate(found.metrics.items()):
                against = found.difference if place == 0 else None
                yield (
                    model,
                    part,
                    metric.replace("_", " "),
                    share(value) if place else quality(found, metric),
                    count,
                    "" if against is None else f"{difference(against)}, {verdict(against, _OWN)}",
                )
            yield from ((model, part, error, f"{value:.4g}", count, "") for error, value in found.errors.items())


def _latency_rows(measures: Measures) -> Iterator[tuple[str, ...]]:
    for batch, timings in (measures.latency.batches if measures.latency else {}).items():
        for name, timing in timings.items():
            model = _OWN if name == "slim" else TIMED.get(name, name)
            told = "" if name == "original" else latency_change(timing)
            yield model, batch, milliseconds(timing.median_s), told, str(timing.rounds or "")


def _training(manifest: Manifest, measures: Measures) -> dict[str, object]:
    seed = "not recorded" if measures.seed is None else measures.seed
    return {
        "base": Markdown(f"{_base(manifest)}, kept frozen weights {manifest.base_fingerprint[:16]}…"),
        "data": measures.data or "not recorded",
        "seed": seed,
        LIBRARY: manifest.skiptune_version or "not recorded",
        **manifest.versions,
    }


def _task(manifest: Manifest) -> str:
    return manifest.task.name if manifest.task else ""


def _base(manifest: Manifest) -> Markdown:
    """The base as others can find it; the path of a directory is of no use to them."""
    name = manifest.base
    if name in EMBEDDED and EMBEDDED[name].distribution != LIBRARY:
        return Markdown(f"`{name}` (package {EMBEDDED[name].distribution})")
    if name in EMBEDDED or name in ARCHITECTURES:
        return Markdown(f"`{name}` (part of SkipTune)")
    if others_have(name):
        return Markdown(f"[{markdown(name)}](https://huggingface.co/{name})")
    return markdown(f"a local {manifest.architecture} that is not published")
