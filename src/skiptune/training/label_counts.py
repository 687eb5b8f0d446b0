"""How many labels a loss is the mean of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..core.ignored_label import IGNORED


def labelled_tokens(batch: Mapping[str, Any], shifts: bool = True) -> int | None:
    """The tokens of answers in a batch: labels of whole numbers, ``(rows, tokens)``, other than -100. ``None``: its
    labels are of rows.

    Args:
        batch: of a model.
        shifts: whether a label is of the token before it, so that the first of a row is none. Those in
            ``shift_labels`` are in their place.
    """
    labels = batch.get("shift_labels", batch.get("labels"))
    if not isinstance(labels, Tensor) or labels.ndim < 2 or labels.is_floating_point():
        return None
    found = labels[..., 1:] if shifts and "shift_labels" not in batch else labels
    return int(found.ne(IGNORED).sum())
