"""CUDA graphs of forward passes, for ``benchmarks/gpu.py``.

A pass is captured if nothing in it waits for the device, which is tried before: a capture that fails can leave torch in
a bad state. transformers' LLaVA reads the number of image tokens back, so its prefill is captured from known places of
image tokens on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from skiptune.core.errors import first_line
from skiptune.core.process import is_memory_failure
from skiptune.costs.generation import Prefill
from skiptune.families.decoders.cache import cache_argument
from skiptune.families.decoders.image_runs import image_places, runs_of
from skiptune.families.decoders.passage import Passage, begin_passage
from skiptune.families.decoders.structure import decoder_of

#: Largest difference of a captured model's output, as a share of the largest number in it.
TOLERANCE = {torch.float32: 0.01, torch.bfloat16: 0.1}


class NotCapturedError(Exception):
    """Why there is no graph."""


class StaticPrefill(nn.Module):
    """LLaVA's prefill for texts with image tokens at known places, which reads nothing back from the device."""

    def __init__(self, model: Any, inputs: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.model = model
        self.image = image_places(model, (), inputs)
        self.runs = runs_of(self.image)

    def forward(self, input_ids: Tensor, pixel_values: Tensor, **unused: Tensor) -> Any:
        """The logits of the last position, ``(batch, 1, words)``."""
        body = self.model.model
        embedded = body.get_input_embeddings()(input_ids)
        features = body.get_image_features(pixel_values=pixel_values, return_dict=True).pooler_output
        embedded = embedded.masked_scatter(self.image[..., None], torch.cat(list(features)).to(embedded))
        decoder: Any = decoder_of(self.model)
        if any(getattr(layer, "reduction", None) is not None for layer in decoder.layers):
            begin_passage(Passage(self.image, decoder.layers[-1], self.runs))
        try:
            cache = {str(cache_argument(decoder)): DynamicCache(config=self.model.config)}
            hidden = decoder(inputs_embeds=embedded, use_cache=True, **cache).last_hidden_state
        finally:
            begin_passage(None)
        return self.model.lm_head(hidden[:, -1:])


class Captured(nn.Module):
    """A graph that is replayed, after the inputs were copied to where it reads them."""

    def __init__(self, model: nn.Module, inputs: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.model = model
        self.inputs = {name: value.clone() for name, value in inputs.items()}
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.output = logits(model(**self.inputs))

    def forward(self, **inputs: Tensor) -> Tensor:
        """As the model, and always the same tensor."""
        for name, value in self.inputs.items():
            value.copy_(inputs[name])
        self.graph.replay()
        return self.output


@torch.inference_mode()
def captured(model: nn.Module, inputs: Mapping[str, Tensor], expected: Tensor) -> tuple[Captured, float]:
    """The pass as a graph, and by how much its logits differ from those expected, as a share of the largest.

    Raises:
        NotCapturedError: it has no graph, or the graph computes something else.
    """
    if not next(model.parameters()).is_cuda:
        raise NotCapturedError("no CUDA")
    way = StaticPrefill(model.model, inputs) if isinstance(model, Prefill) else model
    warm(way, inputs)
    try:
        graph = Captured(way, inputs)
    except Exception as error:
        if is_memory_failure(error):
            raise
        raise NotCapturedError(f"capture failed: {type(error).__name__}: {first_line(error)}") from None
    differs = difference(graph(**inputs), expected)
    if not differs <= TOLERANCE[expected.dtype]:
        raise NotCapturedError(f"its outputs differ by {differs:.3g} of the largest one")
    return graph, differs


def warm(model: nn.Module, inputs: Mapping[str, Tensor]) -> None:
    """Run beside the present stream, and refuse what waits for the device. Models are told that a graph is captured,
    because some run otherwise then.

    Raises:
        NotCapturedError: it waits.
    """
    stream, present = torch.cuda.Stream(), torch.cuda.current_stream()
    stream.wait_stream(present)
    try:
        with torch.cuda.stream(stream), mock.patch("torch.cuda.is_current_stream_capturing", return_value=True):
            torch.cuda.set_sync_debug_mode("error")
            model(**inputs)
    except RuntimeError as error:
        if is_memory_failure(error):
            raise
        raise NotCapturedError(f"it waits for the device: {first_line(error)}") from None
    finally:
        torch.cuda.set_sync_debug_mode("default")
        present.wait_stream(stream)


def logits(output: Any) -> Tensor:
    """Of a model's output, the last position's where there are positions."""
    found: Tensor = output if isinstance(output, Tensor) else output.logits
    return found[:, -1] if found.ndim == 3 else found


def difference(found: Tensor, expected: Tensor) -> float:
    """The largest difference, as a share of the largest number."""
    largest = expected.abs().max().clamp(min=1e-9)
    return float(((found - expected).abs().max() / largest).float())
