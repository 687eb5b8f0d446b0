"""The result of a conversion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..plan import Plan
from .shapes import Sizes


@dataclass(frozen=True)
class Conversion:
    """The result of a conversion.

    Attributes:
        title: of the model, e.g. ``METER``.
        task: of the head that was kept; ``pretrained``: none.
        sizes: fields of the configuration, as inferred.
        labels: outputs of the head.
        parameters: of the model in the checkpoint, adapters included, other heads not.
        heads: names of all heads in the checkpoint.
        left_out: dropped parts → number of tensors.
        plan: the skipped blocks, for a model with adapters; its ``source`` says where that came from.
        tokenizer: whether there is one in the directory, so that it can be given texts.
    """

    title: str
    task: str
    sizes: Sizes
    labels: int
    parameters: int
    heads: tuple[str, ...]
    left_out: dict[str, int]
    plan: Plan | None
    tokenizer: bool

    def lines(self) -> list[str]:
        """For the console."""
        nested = {name: value for name, value in self.sizes.items() if isinstance(value, Mapping)}
        plain = {name: value for name, value in self.sizes.items() if name not in nested}
        labels = f", {self.labels:,} labels" if self.labels > 1 else ""
        lines = [f"model:        {self.title}, task {self.task}{labels}"]
        for name, sizes in (("sizes", plain), *nested.items()):
            title = name.replace("_config", " sizes") + ":"
            lines.append(f"{title:<14}" + ", ".join(f"{field} {value}" for field, value in sizes.items()))
        lines.append(f"parameters:   {self.parameters:,}")
        lines.append(f"heads:        {', '.join(self.heads) or 'none'}")
        for reason, count in self.left_out.items():
            lines.append(f"left out:     {count} tensor{'s' * (count > 1)} of {reason}")
        if self.plan is not None:
            lines.append(f"skipped:      {', '.join(self.plan.skipped) or 'none'} ({self.plan.source})")
        if not self.tokenizer:
            lines.append("no tokenizer in the directory; runs and questions need one (--tokenizer)")
        return lines
