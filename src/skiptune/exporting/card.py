"""The model card of a slim model: what it is, what it skips, what was measured of it, and what was not.

Everything comes from the ``config.json`` beside it. Of its ``extra`` the card knows, each optional:

- ``data``: what it was trained on, a recipe's ``data.name``; ``seed``: of the training;
- ``accuracy``: ``validation`` and ``test`` to measures by name, each in [0, 1], with ``count`` and ``loss``;
- ``baselines``: name to the same, of models trained beside it with the same settings;
- ``latency``: what a run's ``latency.json`` holds; ``image_size``: (height, width) that it was taken at.
"""

from __future__ import annotations

from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from ..core.errors import InputError
from ..core.formatting import Markdown, markdown_table, milliseconds
from ..models.architectures import ARCHITECTURES
from ..models.embedded import EMBEDDED
from .hub import others_have

LIBRARY = "skiptune"
#: Our task → the hub's, where it has one.
_PIPELINES = {"vqa": "visual-question-answering"}
_TASKS = {
    "vqa": "visual question answering",
    "reasoning": "visual reasoning over one or two images",
    "retrieval": "image-text retrieval",
    "entailment": "visual entailment",
}
#: Data that are one well-known set; formats of files are not.
_SETS = ("easy-vqa", "vqav2", "nlvr2", "nlvr", "snli-ve")
_NO_METRICS = ("loss", "count", "unknown_answers")
_EMBEDDED_LICENSE = "apache-2.0"


def model_card(content: dict[str, Any], name: str) -> str:
    """The text of ``README.md`` with its metadata, for the configuration of a slim model called ``name``.

    Raises:
        InputError: its ``extra`` holds something else under the names above.
    """
    try:
        return _model_card(content, name)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{name}: what was measured cannot go into a model card ({error!r}); edited?") from error


def _model_card(content: dict[str, Any], name: str) -> str:
    parts = [
        f"# {name}",
        _introduction(content),
        f"## Use\n\n{_use(content)}",
        f"## Blocks\n\n{_blocks(content)}",
        f"## Accuracy\n\n{_accuracy(content)}",
        f"## Latency\n\n{_latency(content)}",
        f"## Training\n\n{_training(content)}",
    ]
    return str(ModelCard(f"---\n{_metadata(content, name).to_yaml()}\n---\n\n" + "\n\n".join(parts) + "\n"))


def _metadata(content: dict[str, Any], name: str) -> ModelCardData:
    extra, task = content.get("extra", {}), _task(content)
    data = extra.get("data")
    results = _results(content)
    return ModelCardData(
        library_name=LIBRARY,
        pipeline_tag=_PIPELINES.get(task),
        base_model=content["base"] if others_have(content["base"]) else None,
        license=_EMBEDDED_LICENSE if content["base"] in EMBEDDED else None,
        tags=[
            LIBRARY,
            content["plan"]["family"],
            "vision-language",
            "dynamic-architecture-skipping",
            *([task] if task else []),
        ],
        datasets=[data] if data in _SETS else None,
        model_name=name if results else None,
        eval_results=results or None,
    )


def _results(content: dict[str, Any]) -> list[EvalResult]:
    """Measures on the test part, else on validation, as the hub's model index has them."""
    extra = content.get("extra", {})
    accuracy = extra.get("accuracy", {})
    part = next((part for part in ("test", "validation") if accuracy.get(part)), None)
    if part is None:
        return []
    data = str(extra.get("data", "unknown"))
    return [
        EvalResult(
            task_type=_PIPELINES.get(_task(content), _task(content) or "other"),
            dataset_type=data,
            dataset_name=data,
            dataset_split=part,
            metric_type=metric,
            metric_name=metric,
            metric_value=round(value, 6),
        )
        for metric, value in accuracy[part].items()
        if metric not in _NO_METRICS
    ]


def _introduction(content: dict[str, Any]) -> str:
    plan = content["plan"]
    what = _TASKS.get(_task(content), "a task that is not recorded")
    count = f"{content['parameters']:,} parameters remain. " if "parameters" in content else ""
    form = {
        "standalone": "It stands alone: all weights that are used are in this directory.",
        "adapters": f"Only what was trained is in this directory; the rest is read from its base, {_base(content)}.",
    }[content["form"]]
    return (
        f"Made for {what} by SkipTune from {_base(content)}: {len(plan['skipped'])} of {len(plan['blocks'])} blocks "
        f"are gone, with small adapters in their place ([method](https://arxiv.org/abs/2309.01479)). {count}{form}"
    )


def _use(content: dict[str, Any]) -> str:
    lines = ["import skiptune as st", "", 'model = st.load("PATH_OR_HUB_ID")  # of this directory']
    if _task(content):
        ask = 'st.predict(model, st.load_task("PATH_OR_HUB_ID", model), "picture.jpg", "your text")'
        lines.append(f"print({ask})")
    text = "```python\n" + "\n".join(lines) + "\n```"
    return f"{text}\n\nOther loaders refuse the directory: the missing blocks would be filled with random numbers."


def _blocks(content: dict[str, Any]) -> str:
    plan, config = content["plan"], content["skip_config"]
    merged = " (merged)" if config["block_adapter"] == "lora" and content["form"] == "standalone" else ""
    rows = {
        "skipped": ", ".join(plan["skipped"]) or "none",
        "kept": ", ".join(name for name in plan["blocks"] if name not in plan["skipped"]),
        "chosen by": content["strategy"],
        "adapters on kept blocks": f"{config['block_adapter']}{merged}",
    }
    return markdown_table(("", ""), list(rows.items()))


def _accuracy(content: dict[str, Any]) -> str:
    extra = content.get("extra", {})
    accuracy, baselines = extra.get("accuracy") or {}, extra.get("baselines") or {}
    if not accuracy:
        return "Not measured when this was exported."
    said = {"unskipped": "nothing skipped, same adapters", "random": "random blocks skipped", "full": "full tuning"}
    arms = {"this model": accuracy, **{said.get(name, name): found for name, found in baselines.items()}}
    rows = [
        (arm, part, metric, f"{value:.2%}", f"{found[part]['count']:,}" if "count" in found[part] else "")
        for arm, found in arms.items()
        for part in ("test", "validation")
        if found.get(part)
        for metric, value in found[part].items()
        if metric not in _NO_METRICS
    ]
    note = "" if "unskipped" in baselines else "\n\nWhat it was before blocks were skipped was not measured."
    return markdown_table(("", "part", "measure", "value", "records"), rows) + note


def _latency(content: dict[str, Any]) -> str:
    extra = content.get("extra", {})
    latency = extra.get("latency")
    if not latency:
        return "Not measured when this was exported."
    said = {"original": "original model", "unskipped": "nothing skipped, same adapters", "slim": "this model"}
    rows = [
        (said.get(name, name), batch, milliseconds(row["median_s"], decimals=1), f"{row['ratio']:.2f}×")
        for batch, models in latency["batches"].items()
        for name, row in models.items()
    ]
    size = extra.get("image_size")
    shape = f", images of {size[0]} × {size[1]} pixels" if size else ""
    where = f"{latency['device']}, {latency['threads']} threads, {latency['text_length']} tokens of text{shape}"
    return f"One forward pass, median, all models in turns in one process ({where}).\n\n" + markdown_table(
        ("", "batch", "time", "to the original"), rows
    )


def _training(content: dict[str, Any]) -> str:
    extra = content.get("extra", {})
    rows = {
        "base": Markdown(f"{_base(content)}, kept frozen weights {content['base_fingerprint'][:16]}…"),
        "data": extra.get("data", "not recorded"),
        "seed": extra.get("seed", "not recorded"),
        LIBRARY: content["skiptune_version"],
        **content.get("versions", {}),
    }
    licence = (
        ""
        if content["base"] in EMBEDDED
        else "\n\nThe licences of the base model and of the data hold; this card does not know them."
    )
    return markdown_table(("", ""), list(rows.items())) + licence


def _task(content: dict[str, Any]) -> str:
    return str((content.get("task") or {}).get("name", ""))


def _base(content: dict[str, Any]) -> str:
    """The base as others can find it; the path of a directory says nothing to them."""
    name = content["base"]
    if name in EMBEDDED or name in ARCHITECTURES:
        return f"`{name}` (part of SkipTune)"
    return (
        f"[{name}](https://huggingface.co/{name})"
        if others_have(name)
        else f"a {content['architecture']} of its owner's"
    )
