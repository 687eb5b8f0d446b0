"""The ONNX graph of a whole model with its head: example inputs, tracing, quantisation.

Ids, mask and pixels go in, logits come out. Batch and text length are dynamic, and so is the size of images where the
family pads images of different size into one batch (ViLT, with ``pixel_mask``). A retrieval model takes a dynamic
number of texts per image.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from ...costs.example_inputs import example_inputs
from ...families.registry import family_of
from ...inserting.adapted_class import plain_class
from ...models.construction import ONE_AT_A_TIME

_SHORT = 4  # tokens
Inputs = dict[str, Tensor]


@dataclass(frozen=True)
class Graph:
    """The inputs of a model's graph.

    Attributes:
        head: the task's name in the family's table of classes.
        image_size: height and width in pixels; ``None``: any.
        batches: examples, of one and of three images, a short and a long text each, some of it padding; padded images
            where those go. The model is traced with the last one: none of its dynamic axes has length one.
    """

    head: str
    image_size: tuple[int, int] | None
    batches: list[Inputs]

    @classmethod
    def of(cls, model: PreTrainedModel, image_size: tuple[int, int] | None) -> Graph:
        """For a model, with images of one size or, with ``None``, of any."""
        classes = family_of(model).model_classes
        head = next(task for task, model_class in classes.items() if plain_class(model) is model_class)
        lengths = _SHORT, family_of(model).sizes(model.config).text_length
        batches = [_batch(model, head, image_size, images, length) for images in (1, 3) for length in lengths]
        return cls(head, image_size, batches)

    def axes(self, name: str) -> dict[int, str]:
        """The dynamic axes of an input, with their names."""
        last = self.batches[-1][name].ndim - 1
        if name in ("input_ids", "attention_mask"):
            return {0: "batch", last: "tokens"} if last == 1 else {0: "batch", 1: "texts", last: "tokens"}
        return {0: "batch"} if self.image_size else {0: "batch", last - 1: "height", last: "width"}

    def shapes(self) -> dict[str, list[int | str]]:
        """The shapes of all inputs, dynamic axes by name."""
        return {
            name: [self.axes(name).get(axis, length) for axis, length in enumerate(value.shape)]
            for name, value in self.batches[-1].items()
        }


def _batch(model: PreTrainedModel, head: str, image_size: tuple[int, int] | None, images: int, length: int) -> Inputs:
    sizes = family_of(model).sizes(model.config)
    side, patch = sizes.image_size, sizes.patch_size
    texts = 1 + images if head == "retrieval" else 1
    size = image_size or (side, side + (patch if length > _SHORT else 0))
    inputs = example_inputs(model, size, length, images * texts)
    for row in range(images * texts):
        inputs["attention_mask"][row, length - row % (length - 2) :] = 0
    if head == "retrieval":
        for name in ("input_ids", "attention_mask"):
            inputs[name] = inputs[name].view(images, texts, length)
        inputs["pixel_values"] = inputs["pixel_values"][:images]
    if image_size is None:
        mask = torch.ones_like(inputs["pixel_values"].select(-3, 0), dtype=torch.long)
        mask[0, ..., side:] = 0
        mask[1:2, ..., side - patch :, :] = 0
        inputs["pixel_mask"] = mask
    return inputs


@torch.no_grad()
def torch_logits(model: nn.Module, inputs: Inputs) -> Tensor:
    """The torch model's logits."""
    output: Tensor = model(**inputs).logits
    return output


class _Logits(nn.Module):
    """A model with tensors in and one tensor out."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, pixel_values: Tensor, pixel_mask: Tensor | None = None
    ) -> Tensor:
        masks = {} if pixel_mask is None else {"pixel_mask": pixel_mask}
        output: Tensor = self.model(
            input_ids=input_ids, attention_mask=attention_mask, pixel_values=pixel_values, **masks
        ).logits
        return output


@torch.no_grad()
def trace(model: nn.Module, graph: Graph, path: Path, large: bool) -> None:
    """Write graph and weights; ``large``: the weights go into a file of their own, ``model.onnx.data``."""
    from onnx_ir.passes.common import ClearMetadataAndDocStringPass

    inputs = graph.batches[-1]
    with _quiet():
        program = torch.onnx.export(
            _Logits(model).eval(),
            tuple(inputs.values()),
            dynamo=True,
            input_names=list(inputs),
            output_names=["logits"],
            dynamic_shapes={name: graph.axes(name) for name in inputs},
            custom_translation_table={torch.ops.aten.sort.stable: _stable_sort},
            verbose=False,
        )
        assert program is not None  # only the older exporter returns nothing
        ClearMetadataAndDocStringPass()(program.model)  # stack traces, with the paths of this machine
        program.save(path, external_data=large)


def _stable_sort(x: Any, stable: bool | None = None, dim: int = -1, descending: bool = False) -> Any:
    """``torch.sort`` in order of places where values are equal: of these, ONNX's TopK takes that of the lower place
    first."""
    from onnxscript import opset18

    op: Any = opset18
    length = op.Reshape(op.Gather(op.Shape(x), dim, axis=0), op.Constant(value_ints=[1]))
    return op.TopK(x, length, axis=dim, largest=descending, sorted=True)


def quantise(path: Path, smaller: Path, large: bool) -> None:
    """Weights of matrix products to int8, one scale a column; activations are scaled as they come."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _quiet():
        quantize_dynamic(
            path,
            smaller,
            op_types_to_quantize=["MatMul", "Gemm"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            use_external_data_format=large,
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Context that hides messages of the exporter and the quantiser; no other thread makes a model meanwhile."""
    loggers = [logging.getLogger(name) for name in (None, "torch.onnx", "torch.onnx._internal.exporter")]
    levels = [logger.level for logger in loggers]
    with ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`isinstance\\(treespec, LeafSpec\\)", FutureWarning)
        warnings.filterwarnings("ignore", "# The axis name: ", UserWarning)
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
