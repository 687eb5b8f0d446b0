"""Frozen encoders build no autograd graph, also under gradient checkpointing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from ..core.errors import InputError


@contextmanager
def no_graph_if_frozen(module: nn.Module) -> Iterator[None]:
    """Build no autograd graph while ``module`` runs, if none of its parameters is trained.

    Autograd does this by itself, but not under gradient checkpointing, and not if the inputs require a gradient.
    """
    recorded = torch.is_grad_enabled() and any(parameter.requires_grad for parameter in module.parameters())
    with torch.set_grad_enabled(recorded):
        yield


class FrozenEncoders(PreTrainedModel):
    """A model whose trained parts come above frozen ones. A family's class inherits from it first."""

    supports_gradient_checkpointing = True

    def enable_input_require_grads(self) -> None:
        """Do nothing. transformers calls this for re-entrant gradient checkpointing.

        If the embeddings required a gradient, the graph would cover all frozen encoders.
        """

    def _set_gradient_checkpointing(self, enable: bool = True, **kwargs: Any) -> None:
        function = kwargs.get("gradient_checkpointing_func")
        if enable and getattr(function, "keywords", {}).get("use_reentrant"):
            raise InputError("use_reentrant=True loses gradients of adapters above frozen layers; set it to False")
        super()._set_gradient_checkpointing(enable, **kwargs)
