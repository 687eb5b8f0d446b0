"""Slim models in onnxruntime, from files of :func:`skiptune.export_onnx`; they can take the place of a torch model.

Needs the extra ``onnx``: ``pip install "skiptune[onnx]"``. ``onnx.json`` beside a model describes its inputs and its
difference to the torch model at export.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...core.errors import InputError, RunError, first_line
from ...core.extras import require_extra
from ...core.files import file_sha256
from ...families.classifier import loss_by_labels
from ...families.head_inputs import Encoded, refuse_padding
from ...families.two_stream_head import TaskOutput
from ..onnx_files import ONNX_FILES
from .description import OnnxDescription, read_description

_TYPES = {"pixel_values": torch.float32}


class OnnxModel(nn.Module):
    """A model in an onnxruntime session on the CPU, called like the torch model. It has no parameters.

    Args:
        path: the ``.onnx`` file.
        description: the content of ``onnx.json``.
    """

    def __init__(self, path: Path, description: OnnxDescription) -> None:
        super().__init__()
        self.path, self.description = path, description
        self.config = SimpleNamespace(model_type=description.model_type)
        self.session = _session(path)

    @property
    def content_digest(self) -> str:
        """What tells it from another model: its file, and the digests of all files that were exported with it."""
        digests = {backend: model.sha256 for backend, model in self.description.models.items()}
        return json.dumps([self.path.name, digests], sort_keys=True)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        pixel_mask: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> TaskOutput:
        """Same arguments and outputs as the torch model: ``logits`` and, with ``labels``, ``loss``.

        Args:
            input_ids: ``(batch, tokens)``; a retrieval model also takes several texts per image, ``(batch, texts,
                tokens)``.
            attention_mask: the same shape; ``None``: no padding.
            pixel_values: ``(batch, channels, height, width)``; for two images per text ``(batch, 2, channels, …)``.
            pixel_mask: ``(batch, height, width)``, with the 2 where the pixels have it; ``None``: no padding.
            labels: soft scores ``(batch, answers)``, or class numbers or other numbers ``(batch,)``. The loss of a
                retrieval model is that of the comparison of texts, without the matching loss.

        Raises:
            InputError: no images, padded ones or ones of a size that the model was not exported for.
            RunError: onnxruntime fails, for instance because a text has more tokens than the model has places.
        """
        if pixel_values is None:
            raise InputError("pixel_values: none; the model needs images")
        inputs = {
            "input_ids": input_ids,
            "attention_mask": torch.ones_like(input_ids) if attention_mask is None else attention_mask,
            "pixel_values": pixel_values,
        }
        self._check_size(pixel_values)
        if "pixel_mask" in self.description.inputs:
            full = torch.ones_like(pixel_values.select(-3, 0), dtype=torch.long)
            inputs["pixel_mask"] = full if pixel_mask is None else pixel_mask
        else:
            refuse_padding(pixel_mask)
        logits = self.run(inputs)
        return TaskOutput(None if labels is None else loss_by_labels(logits, labels), logits)

    def run(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The session's one output for all of its inputs."""
        given = {
            name: np.ascontiguousarray(value.to(_TYPES.get(name, torch.long)).numpy()) for name, value in inputs.items()
        }
        try:
            return torch.from_numpy(self.session.run(None, given)[0])
        except Exception as error:  # onnxruntime has many exception classes
            shapes = {name: value.shape for name, value in given.items()}
            raise RunError(f"{self.path}: onnxruntime fails on {shapes}: {first_line(error)}") from None

    def _check_size(self, pixels: Tensor) -> None:
        size, patch = tuple(pixels.shape[-2:]), self.description.patch_size
        fixed = self.description.image_size
        if fixed is not None and size != tuple(fixed):
            raise InputError(f"pixel_values: {size} pixels; this model was exported for images of {tuple(fixed)}")
        if any(side % patch for side in size):
            raise InputError(f"pixel_values: {size} pixels; both sides must be multiples of {patch}")


class OnnxRankingModel(OnnxModel):
    """A retrieval model: ``logits`` ``(batch, texts)``, one score per pair.

    The whole model runs for every batch of texts and image, while torch models run their encoders once per text and
    image.
    """

    def run(self, inputs: Mapping[str, Tensor]) -> Tensor:
        texts = {name: inputs[name] for name in ("input_ids", "attention_mask")}
        if inputs["input_ids"].ndim == 2:
            texts = {name: value.unsqueeze(1) for name, value in texts.items()}
        return super().run({**inputs, **texts})

    def encode_texts(self, input_ids: Tensor, attention_mask: Tensor) -> Encoded:
        """The arguments, ``(texts, tokens)``."""
        return input_ids, attention_mask

    def encode_images(self, pixel_values: Tensor, pixel_mask: Tensor | None = None) -> Encoded:
        """The arguments, ``(images, …)``."""
        return (pixel_values,) if pixel_mask is None else (pixel_values, pixel_mask)

    def score(self, texts: Encoded, images: Encoded) -> Tensor:
        """``(images, texts per image)``; as many texts as images, or a multiple: the first ones belong to the first
        image."""
        ids, mask = (value.view(len(images[0]), -1, value.shape[-1]) for value in texts)
        logits: Tensor = self(ids, mask, *images).logits
        return logits


def load_onnx(folder: str | Path, backend: str = "onnx") -> OnnxModel:
    """The ONNX model of a directory.

    Args:
        folder: where :func:`skiptune.export_onnx` wrote.
        backend: ``onnx`` or ``onnx-int8``.

    Raises:
        InputError: there is none, files are truncated or edited, or onnxruntime is not installed.
    """
    description = read_description(Path(folder))
    if backend not in description.models:
        raise InputError(f"{folder}: has no {ONNX_FILES.get(backend, backend)}; export it with --onnx, or --int8")
    for name, digest in description.models[backend].sha256.items():
        path = Path(folder) / name
        if not path.is_file():
            raise InputError(f"{path}: no such file; the export is not complete")
        if file_sha256(path) != digest:
            raise InputError(f"{path}: differs from what was exported (SHA-256); truncated or edited? Export it again")
    return make(Path(folder) / ONNX_FILES[backend], description)


def make(path: Path, description: OnnxDescription) -> OnnxModel:
    """The model of a file, of the class for its task."""
    return (OnnxRankingModel if description.head == "retrieval" else OnnxModel)(path, description)


def _session(path: Path) -> Any:
    """With as many threads as torch has."""
    require_extra("onnx", "onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4  # what fails is raised as well
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise InputError(f"{path}: onnxruntime cannot read it ({first_line(error)}); export it again") from None
