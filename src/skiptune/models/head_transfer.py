"""Trained heads: their label names, and the transfer of rows of the last layer by name.

A row of the last layer belongs to an answer. Transferred by its number, it would score whatever answer has that number
in the new data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn


def label_names(config: Any) -> tuple[str, ...]:
    """The label names of a configuration, in order; empty if it has transformers' ``LABEL_0``, … or none."""
    found: Mapping[int, str] = getattr(config, "id2label", None) or {}
    names = tuple(str(found[label]) for label in sorted(found))
    return () if names == tuple(f"LABEL_{label}" for label in range(len(names))) else names


def last_layer(model: nn.Module) -> nn.Linear | None:
    """The last layer of a classifier, with one row per label; ``None`` for models without one, as those for
    retrieval."""
    classifier = getattr(model, "classifier", None)
    layers = [] if classifier is None else [part for part in classifier.modules() if isinstance(part, nn.Linear)]
    return layers[-1] if layers else None


def rows_by_name(names: Sequence[str], wanted: Sequence[str]) -> dict[int, int]:
    """Place in ``wanted`` → place in ``names`` of the same name; upper and lower case count as the same."""
    pairs = [(name, row) for row, name in enumerate(names)][::-1]  # of several alike the first counts
    exact, folded = dict(pairs), {name.casefold(): row for name, row in pairs}
    found = {place: exact.get(name, folded.get(name.casefold())) for place, name in enumerate(wanted)}
    return {place: row for place, row in found.items() if row is not None}


@torch.no_grad()
def carry_rows(layer: nn.Linear, other: nn.Linear, rows: Mapping[int, int], spread: float) -> None:
    """Copy ``rows`` of another last layer into ``layer``, and draw the rest from N(0, spread), with biases 0."""
    weight, bias = other.weight.clone(), other.bias.clone()  # it may be the same layer
    layer.weight.normal_(0.0, spread)
    layer.bias.zero_()
    places = list(rows)
    layer.weight[places] = weight[list(rows.values())]
    layer.bias[places] = bias[list(rows.values())]
