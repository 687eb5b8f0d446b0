"""SkipTune: adapt a vision-language Transformer with a few percent of its parameters and fewer operations.

The public names are loaded on first use, so that the command line answers quickly.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .benchmark import BenchConfig, bench
    from .config import Budget, SearchConfig, SkipConfig, TrainConfig
    from .conversion import convert
    from .cost import block_savings, cost_table, count_macs, count_parameters
    from .data.easy_vqa import read_easy_vqa
    from .data.jsonl import read_jsonl
    from .data.records import Record, split_by_image
    from .encoder_cache import EncoderCache
    from .errors import InputError, RunError
    from .evaluation import evaluate, predict
    from .families.bridgetower import (
        BridgeTowerForImageAndTextRanking,
        BridgeTowerForQuestionAnswering,
        BridgeTowerForVisualEntailment,
        BridgeTowerForVisualReasoning,
    )
    from .families.meter import (
        MeterConfig,
        MeterForImageAndTextRetrieval,
        MeterForQuestionAnswering,
        MeterForVisualEntailment,
        MeterForVisualReasoning,
        MeterModel,
        MeterProcessor,
    )
    from .fitting import fit_skip_adapters
    from .fusion import prepare_for_inference
    from .hub import push_to_hub
    from .insertion import blocks_of, choose, insert, parameter_groups, prune, skipped_blocks
    from .latency import compare_latency
    from .models import load_model, load_processor
    from .onnx_export import export_onnx
    from .onnx_runtime import load_onnx
    from .original import model_from_original
    from .plan import Plan
    from .recipe import Recipe, read_recipe
    from .run import Run
    from .searching.run import search
    from .shared_base import SharedBase
    from .slim import export, load, load_task
    from .tasks import Entailment, Evaluation, Reasoning, Retrieval, Task, Vqa
    from .training import fit

_NAMES_BY_MODULE = {
    ".benchmark": ("BenchConfig", "bench"),
    ".config": ("Budget", "SearchConfig", "SkipConfig", "TrainConfig"),
    ".conversion": ("convert",),
    ".cost": ("block_savings", "cost_table", "count_macs", "count_parameters"),
    ".data.easy_vqa": ("read_easy_vqa",),
    ".data.jsonl": ("read_jsonl",),
    ".data.records": ("Record", "split_by_image"),
    ".encoder_cache": ("EncoderCache",),
    ".errors": ("InputError", "RunError"),
    ".evaluation": ("evaluate", "predict"),
    ".families.bridgetower": (
        "BridgeTowerForImageAndTextRanking",
        "BridgeTowerForQuestionAnswering",
        "BridgeTowerForVisualEntailment",
        "BridgeTowerForVisualReasoning",
    ),
    ".families.meter": (
        "MeterConfig",
        "MeterForImageAndTextRetrieval",
        "MeterForQuestionAnswering",
        "MeterForVisualEntailment",
        "MeterForVisualReasoning",
        "MeterModel",
        "MeterProcessor",
    ),
    ".shared_base": ("SharedBase",),
    ".slim": ("export", "load", "load_task"),
    ".training": ("fit",),
    ".fitting": ("fit_skip_adapters",),
    ".hub": ("push_to_hub",),
    ".fusion": ("prepare_for_inference",),
    ".insertion": ("blocks_of", "choose", "insert", "parameter_groups", "prune", "skipped_blocks"),
    ".latency": ("compare_latency",),
    ".models": ("load_model", "load_processor"),
    ".onnx_export": ("export_onnx",),
    ".onnx_runtime": ("load_onnx",),
    ".original": ("model_from_original",),
    ".plan": ("Plan",),
    ".recipe": ("Recipe", "read_recipe"),
    ".run": ("Run",),
    ".searching.run": ("search",),
    ".tasks": ("Entailment", "Evaluation", "Reasoning", "Retrieval", "Task", "Vqa"),
}
_MODULE_OF = {name: module for module, names in _NAMES_BY_MODULE.items() for name in names}

__all__ = [
    "BenchConfig",
    "BridgeTowerForImageAndTextRanking",
    "BridgeTowerForQuestionAnswering",
    "BridgeTowerForVisualEntailment",
    "BridgeTowerForVisualReasoning",
    "Budget",
    "EncoderCache",
    "Entailment",
    "Evaluation",
    "InputError",
    "MeterConfig",
    "MeterForImageAndTextRetrieval",
    "MeterForQuestionAnswering",
    "MeterForVisualEntailment",
    "MeterForVisualReasoning",
    "MeterModel",
    "MeterProcessor",
    "Plan",
    "Reasoning",
    "Recipe",
    "Record",
    "Retrieval",
    "Run",
    "RunError",
    "SearchConfig",
    "SharedBase",
    "SkipConfig",
    "Task",
    "TrainConfig",
    "Vqa",
    "__version__",
    "bench",
    "block_savings",
    "blocks_of",
    "choose",
    "compare_latency",
    "convert",
    "cost_table",
    "count_macs",
    "count_parameters",
    "evaluate",
    "export",
    "export_onnx",
    "fit",
    "fit_skip_adapters",
    "insert",
    "load",
    "load_model",
    "load_onnx",
    "load_processor",
    "load_task",
    "model_from_original",
    "parameter_groups",
    "predict",
    "prepare_for_inference",
    "prune",
    "push_to_hub",
    "read_easy_vqa",
    "read_jsonl",
    "read_recipe",
    "search",
    "skipped_blocks",
    "split_by_image",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULE_OF[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
