"""The parts that all model cards have: what it comes from, what was measured, and under which licence it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

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
from ..models.architectures import ARCHITECTURES
from ..models.embedded import EMBEDDED
from .base_license import BaseLicense, base_license
from .exported import Exported
from .hub import others_have
from .measures import Measures

LIBRARY = "skiptune"
#: Our task → the hub's, where it has one.
_PIPELINES = {"vqa": "visual-question-answering"}
TASKS_IN_WORDS = {
    "vqa": "visual question answering",
    "reasoning": "visual reasoning over one or two images",
    "retrieval": "image-text retrieval",
    "entailment": "visual entailment",
    "classification": "classification of images, with or without a text",
    "regression": "regression: a number for an image, with or without a text",
    "generation": "generation of text: answers to questions about images, captions, conversations",
}
#: Data that are one well-known set; formats of files are not.
_SETS = ("easy-vqa", "vqav2", "nlvr2", "nlvr", "snli-ve")
_OWN = "this model"
#: Kinds of skip adapters in words.
_IN_THEIR_PLACE = {
    "bottleneck": "bottleneck adapters",
    "folded": "linear maps, a part of kept blocks' weights",
    "none": "nothing",
}


def measured_values(exported: Exported, measures: Measures) -> Mapping[str, object]:
    """The values of the template ``measured.md.j2``, and those that say what the model comes from."""
    rows = list(_quality_rows(measures, task_name(exported)))
    return {
        "base": base_link(exported),
        "license": license_of(exported),
        "parameters": exported.parameters,
        "blocks": exported.plan.blocks,
        "skipped": exported.plan.skipped,
        "tokens": exported.plan.tokens,
        "strategy": exported.strategy,
        "skip_adapter": exported.skip_config.skip_adapter,
        "in_their_place": _IN_THEIR_PLACE[exported.skip_config.skip_adapter or "bottleneck"],
        "quality_rows": rows,
        "unskipped_known": "unskipped" in measures.baselines,
        "differences": any(row[-1] for row in rows),
        "too_good": measures.compared_on if measures.compared_on in measures.accuracy.parts else None,
        "reserved": "reserved" in measures.accuracy.parts,
        "latency": measures.latency,
        "image_size": measures.image_size,
        "writes": task_name(exported) == "generation",
        "latency_rows": list(_latency_rows(measures)),
        "counted": counted,
        "warnings": [sentence(told) for told in timing_warnings(measures.latency)] if measures.latency else [],
        "nested_rows": [(str(count), f"{loss:.4f}") for count, loss in enumerate(measures.nested_losses)],
        "training_rows": list(_training(exported, measures).items()),
    }


def license_of(exported: Exported) -> BaseLicense | None:
    """The licence that the model stands under; ``None``: not known."""
    return exported.license or base_license(exported.base)


def card_metadata(exported: Exported, name: str, measures: Measures, **more: Any) -> ModelCardData:
    """The hub's metadata of a card; ``more`` are its fields that depend on the form."""
    task, license = task_name(exported), license_of(exported)
    results, other = list(_results(task, measures)), license is not None and license.identifier == "other"
    return ModelCardData(
        base_model=exported.base if others_have(exported.base) else None,
        license=license.identifier if license else None,
        license_name=license.name if license and other else None,
        license_link=license.url if license and other else None,
        datasets=[measures.data] if measures.data in _SETS else None,
        model_name=name if results else None,
        eval_results=results or None,
        **{"library_name": LIBRARY, "pipeline_tag": _PIPELINES.get(task), "tags": tags(exported), **more},
    )


def tags(exported: Exported) -> list[str]:
    """What the hub finds the model by."""
    task = task_name(exported)
    return [
        LIBRARY,
        exported.plan.family,
        "vision-language",
        "dynamic-architecture-skipping",
        *([task] if task else []),
    ]


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


def _training(exported: Exported, measures: Measures) -> dict[str, object]:
    seed = "not recorded" if measures.seed is None else measures.seed
    return {
        "base": Markdown(f"{base_link(exported)}, kept frozen weights {exported.base_fingerprint[:16]}…"),
        "data": measures.data or "not recorded",
        "seed": seed,
        LIBRARY: exported.skiptune_version or "not recorded",
        **exported.versions,
    }


def task_name(exported: Exported) -> str:
    """The name of its task; empty: exported without one."""
    return exported.task.name if exported.task else ""


def base_link(exported: Exported) -> Markdown:
    """The base as others can find it; the path of a directory is of no use to them."""
    name = exported.base
    if name in EMBEDDED and EMBEDDED[name].distribution != LIBRARY:
        return Markdown(f"`{name}` (package {EMBEDDED[name].distribution})")
    if name in EMBEDDED or name in ARCHITECTURES:
        return Markdown(f"`{name}` (part of SkipTune)")
    if others_have(name):
        return Markdown(f"[{markdown(name)}](https://huggingface.co/{name})")
    return markdown(f"a local {exported.architecture} that is not published")
