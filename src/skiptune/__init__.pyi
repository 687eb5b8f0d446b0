"""The public names; :mod:`skiptune` loads each on first use."""

from .benchmarking.bench import bench
from .benchmarking.bench_config import BenchConfig
from .checking.check import check_data
from .checking.report import DataReport
from .config import Budget, SearchConfig, SkipConfig, TrainConfig
from .converting import model_from_original
from .converting.convert import convert
from .core.errors import InputError, RunError
from .costs.cost_table import CostTable, cost_table
from .costs.latency import compare_latency
from .costs.macs import block_savings, count_macs
from .costs.parameters import count_parameters
from .data.readers.conversation_files import read_conversations
from .data.readers.easy_vqa import read_easy_vqa
from .data.readers.jsonl import read_jsonl
from .data.record import Record
from .data.splits import split_by_image
from .data.turns import Turn
from .experiment import Experiment
from .exporting.export import export
from .exporting.hub import push_to_hub
from .exporting.load import load
from .exporting.load_task import load_task
from .exporting.onednn import prepare_for_inference
from .exporting.onnx.session import load_onnx
from .exporting.onnx.write import export_onnx
from .exporting.open_pipeline import pipeline
from .exporting.shared_base import SharedBase
from .families.block_kind import BlockKind, Folding
from .families.bridgetower import (
    BridgeTowerForClassification,
    BridgeTowerForImageAndTextRanking,
    BridgeTowerForQuestionAnswering,
    BridgeTowerForVisualEntailment,
    BridgeTowerForVisualReasoning,
)
from .families.clip import (
    ClipForClassification,
    ClipForImageAndTextRetrieval,
    ClipForQuestionAnswering,
    ClipForVisualEntailment,
    ClipForVisualReasoning,
)
from .families.family import Family, InputSizes
from .families.meter import (
    MeterConfig,
    MeterForClassification,
    MeterForImageAndTextRetrieval,
    MeterForQuestionAnswering,
    MeterForVisualEntailment,
    MeterForVisualReasoning,
    MeterModel,
    MeterProcessor,
)
from .families.registry import register_family
from .families.siglip import (
    SiglipForClassification,
    SiglipForImageAndTextRetrieval,
    SiglipForQuestionAnswering,
    SiglipForVisualEntailment,
    SiglipForVisualReasoning,
)
from .families.vilt.heads import ViltForClassification
from .inserting.insert import insert
from .inserting.parameter_groups import parameter_groups
from .inserting.pruning import prune
from .inserting.selection import blocks_of, choose, skipped_blocks
from .layers.blocks import SkippableBlock
from .models.loading import load_model, load_processor
from .plan import Plan, SearchReport, TokenSchedule
from .predicting.files.answer_output import AnswerFile
from .predicting.pipeline import Pipeline
from .predicting.predict import predict
from .predicting.rank import rank
from .predicting.results import Prediction, Ranked
from .running.recipe import Recipe
from .running.recipe_reading import read_recipe
from .running.run import Run
from .searching.replace_me import replace_me
from .searching.search import search
from .searching.skip_search import SkipSearch
from .tasks.answer import Answer
from .tasks.classification import Classification
from .tasks.entailment import Entailment
from .tasks.evaluation import evaluate
from .tasks.evaluation_result import Evaluation
from .tasks.generation.task import Generation
from .tasks.reasoning import Reasoning
from .tasks.records import records
from .tasks.regression import Regression
from .tasks.retrieval import Retrieval
from .tasks.scored import ScoredTask
from .tasks.task import Task
from .tasks.vqa import Vqa
from .tasks.zero_shot import ZeroShot
from .training.encoder_cache import EncoderCache
from .training.fit import fit
from .training.optimizer import optimizer_groups
from .training.skip_adapter_init import fit_skip_adapters, fit_skip_adapters_on
from .training.training_log import TrainingLog
from .version import __version__ as __version__

__all__ = [
    "Answer",
    "AnswerFile",
    "BenchConfig",
    "BlockKind",
    "BridgeTowerForClassification",
    "BridgeTowerForImageAndTextRanking",
    "BridgeTowerForQuestionAnswering",
    "BridgeTowerForVisualEntailment",
    "BridgeTowerForVisualReasoning",
    "Budget",
    "Classification",
    "ClipForClassification",
    "ClipForImageAndTextRetrieval",
    "ClipForQuestionAnswering",
    "ClipForVisualEntailment",
    "ClipForVisualReasoning",
    "CostTable",
    "DataReport",
    "EncoderCache",
    "Entailment",
    "Evaluation",
    "Experiment",
    "Family",
    "Folding",
    "Generation",
    "InputError",
    "InputSizes",
    "MeterConfig",
    "MeterForClassification",
    "MeterForImageAndTextRetrieval",
    "MeterForQuestionAnswering",
    "MeterForVisualEntailment",
    "MeterForVisualReasoning",
    "MeterModel",
    "MeterProcessor",
    "Pipeline",
    "Plan",
    "Prediction",
    "Ranked",
    "Reasoning",
    "Recipe",
    "Record",
    "Regression",
    "Retrieval",
    "Run",
    "RunError",
    "ScoredTask",
    "SearchConfig",
    "SearchReport",
    "SharedBase",
    "SiglipForClassification",
    "SiglipForImageAndTextRetrieval",
    "SiglipForQuestionAnswering",
    "SiglipForVisualEntailment",
    "SiglipForVisualReasoning",
    "SkipConfig",
    "SkipSearch",
    "SkippableBlock",
    "Task",
    "TokenSchedule",
    "TrainConfig",
    "TrainingLog",
    "Turn",
    "ViltForClassification",
    "Vqa",
    "ZeroShot",
    "__version__",
    "bench",
    "block_savings",
    "blocks_of",
    "check_data",
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
    "fit_skip_adapters_on",
    "insert",
    "load",
    "load_model",
    "load_onnx",
    "load_processor",
    "load_task",
    "model_from_original",
    "optimizer_groups",
    "parameter_groups",
    "pipeline",
    "predict",
    "prepare_for_inference",
    "prune",
    "push_to_hub",
    "rank",
    "read_conversations",
    "read_easy_vqa",
    "read_jsonl",
    "read_recipe",
    "records",
    "register_family",
    "replace_me",
    "search",
    "skipped_blocks",
    "split_by_image",
]
