"""What a program without SkipTune has to know to use an ONNX model: how inputs are made, what outputs mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from ...core.validated import Count, Number, Validated
from ...families.registry import family_of
from ...tasks.activation import Activation

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from ...tasks.task import Task
    from .trace import Graph

_TYPES = {"pixel_values": "float32"}


class OnnxInput(Validated):
    """An input.

    Attributes:
        shape: numbers, dynamic axes by name.
        type: of its numbers.
        made_by: ``tokenizer`` or ``images`` of the processor; ``ones``: 1 everywhere, in the shape of ``input_ids``.
    """

    shape: list[int | str]
    type: str
    made_by: str


class OnnxOutput(Validated):
    """The output.

    Attributes:
        shape: numbers, dynamic axes by name.
        activation: what makes probabilities of it: ``softmax`` over the last axis, ``sigmoid`` of each number, or
            ``none``.
        labels: what the places of the last axis stand for, in order; empty: nothing, the outputs are scores or numbers.
        mean, deviation: the answer is ``mean + deviation * output``; ``None``: it is the output.
    """

    shape: list[int | str]
    activation: Activation
    labels: list[str]
    mean: Number | None = None
    deviation: Number | None = None


class OnnxProcessor(Validated):
    """What prepares pictures and texts; both are read from the directory by transformers' ``from_pretrained``.

    Attributes:
        tokenizer: class of the tokenizer.
        longest_text: tokens at which texts are cut.
        padding: ``longest``: batches are padded to their longest text; ``max_length``: every text to ``longest_text``.
        images: class of the image processor; its ``pixel_values`` and, if it is an input, its ``pixel_mask`` go in.
    """

    tokenizer: str
    longest_text: Count
    padding: Literal["longest", "max_length"] = "longest"
    images: str


class OutsideUse(Validated):
    """All of it.

    Attributes:
        task: the name of the task.
        inputs, outputs: by name.
        processor: what prepares the inputs.
    """

    task: str
    inputs: dict[str, OnnxInput]
    outputs: dict[str, OnnxOutput]
    processor: OnnxProcessor

    @classmethod
    def of(cls, model: PreTrainedModel, task: Task, graph: Graph) -> OutsideUse:
        """Of a model whose graph is written, and its task."""
        settings: dict[str, Any] = {**task.settings()}
        labels = list(settings.get("answers", task.choices))
        length = "texts" if graph.head == "retrieval" else max(1, len(labels))
        tokenizer = task.processor.tokenizer
        family = family_of(model)
        longest = min(tokenizer.model_max_length, family.sizes(model.config).longest_text)
        return cls(
            task=task.name,
            inputs={
                name: OnnxInput(
                    shape=shape,
                    type=_TYPES.get(name, "int64"),
                    made_by=_maker(name, family.fills_texts),
                )
                for name, shape in graph.shapes().items()
            },
            outputs={
                "logits": OnnxOutput(
                    shape=["batch", length],
                    activation=task.activation,
                    labels=labels,
                    mean=settings.get("mean"),
                    deviation=settings.get("deviation"),
                )
            },
            processor=OnnxProcessor(
                tokenizer=_public(type(tokenizer)),
                longest_text=int(longest),
                padding="max_length" if family.fills_texts else "longest",
                images=_public(type(task.processor.image_processor)),
            ),
        )


def _maker(name: str, fills_texts: bool) -> str:
    """What makes an input. Models that attend to what fills a text up get no mask of it."""
    if fills_texts and name == "attention_mask":
        return "ones"
    return "images" if name.startswith("pixel") else "tokenizer"


def _public(kind: type) -> str:
    """The module and name of a class, or of the one that it refines, which transformers has."""
    own = next((each for each in kind.__mro__ if each.__module__.startswith("transformers.")), kind)
    return f"{own.__module__}.{own.__qualname__}"
