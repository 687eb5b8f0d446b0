"""Read a state dictionary by a table of names; every key must be known."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel

from ..core.validation import Problems
from ..models.weight_files import problem_of
from .shapes import Hints, Shapes, Sizes

AFFINE = r"(?P<kind>weight|bias)"

#: Parts of an adapter in the released DAS code → ours.
ADAPTER_PARTS = (("adapter_layer_norm_before", "layer_norm"), ("down_proj", "down"), ("up_proj", "up"))

#: State of the released search in the model: a preference per block, and the number of blocks to skip.
SEARCH_STATE = {"the released search's state": (r"das_gate", r"skip_num")}

#: Task heads, named alike for both models. ``itm`` and ``mlm`` are those of pre-training.
HEADS = {
    "vqa": {rf"vqa_classifier\.([013])\.{AFFINE}": r"classifier.\1.\g<kind>"},
    "nlvr2": {rf"nlvr2_classifier\.([013])\.{AFFINE}": r"classifier.\1.\g<kind>"},
    "rank": {rf"rank_output\.{AFFINE}": r"rank_output.\g<kind>"},
    "itm": {rf"itm_score\.fc\.{AFFINE}": r"itm_score.\g<kind>"},
    "mlm": {
        rf"mlm_score\.(transform\.dense|transform\.LayerNorm|decoder)\.{AFFINE}": r"mlm_score.\1.\g<kind>",
        r"mlm_score\.bias": "mlm_score.decoder.bias",
    },
}


@dataclass(frozen=True)
class OriginalWeights:
    """An original state dictionary, sorted and renamed; tensors share memory with it.

    Attributes:
        body: named as in any class with a head, ``vilt.…`` or ``meter.…``.
        adapters: named as :func:`skiptune.insert` does; empty for the original models.
        heads: those the checkpoint has, e.g. ``vqa``, ``nlvr2``, ``rank``, ``itm``, ``mlm``.
    """

    body: dict[str, Tensor]
    adapters: dict[str, Tensor]
    heads: dict[str, dict[str, Tensor]]


@dataclass(frozen=True)
class Layout:
    """The names of weights in a model's original code.

    Attributes:
        title: of the model, for messages.
        tables: part of a checkpoint (``body``, ``adapters``, heads) → original name, a regular expression → ours. A new
            name with ``(a|b|c)`` is that many weights, joined along the first dimension in the original.
        left_out: parts that are not needed, in words → their original names, regular expressions.
        head_of: the classes that can be built → the head each needs.
        prefix: of the body's names, which the class without a head does not have.
        config_class: of its models.
        sizes: fields of a configuration, from the shapes of original weights.
        adapter_widths: patterns of original names: a block adapter's and a skip adapter's down-projection.
        prepare: sets the LayerNorm epsilons of the original in a configuration.
        complete: fits the weights to a configuration: drops superfluous ones and derives missing ones.
        adopt: switches a model over to skippable blocks.
    """

    title: str
    tables: Mapping[str, Mapping[str, str]]
    left_out: Mapping[str, tuple[str, ...]]
    head_of: Mapping[type[PreTrainedModel], str | None]
    prefix: str
    config_class: type[Any]
    sizes: Callable[[Shapes, Hints], Sizes]
    adapter_widths: tuple[str, str]
    prepare: Callable[[Any], None]
    complete: Callable[[OriginalWeights, Any], OriginalWeights]
    adopt: Callable[[Any], None]

    def knows(self, key: str) -> bool:
        """Whether an original key is known."""
        return self.reason_to_ignore(key) is not None or self._place(key) is not None

    def read(self, state: Mapping[str, Tensor]) -> OriginalWeights:
        """Sort and rename.

        Raises:
            InputError: keys that belong to nothing known, or weights that are not dense, not of floating-point numbers
                or not finite; all in one message.
        """
        found: dict[str, dict[str, Tensor]] = {"body": {}, "adapters": {}}
        problems = Problems(f"not a state dictionary of the original {self.title} or of the released DAS code")
        unfit = Problems("weights that cannot be used")
        for key in sorted(state):
            if place := self._place(key):
                if problem := problem_of(state[key]):
                    unfit.add(f"{key}: {problem}")
                    continue
                found.setdefault(place[0], {}).update(_split(place[1], state[key]))
            elif self.reason_to_ignore(key) is None:
                problems.add(f"{key}: unknown key")
        problems.raise_any()
        unfit.raise_any()
        return OriginalWeights(found.pop("body"), found.pop("adapters"), found)

    def reason_to_ignore(self, key: str) -> str | None:
        """The part that an original key belongs to, in words, if the model does not need it."""
        for reason, patterns in self.left_out.items():
            if any(re.fullmatch(pattern, key) for pattern in patterns):
                return reason
        return None

    def _place(self, key: str) -> tuple[str, str] | None:
        """Table and new name of an original key."""
        for table, patterns in self.tables.items():
            for pattern, name in patterns.items():
                if match := re.fullmatch(pattern, key):
                    return table, match.expand(name)
        return None


def with_rank_head(heads: Mapping[str, dict[str, Tensor]], matching: bool = False) -> dict[str, dict[str, Tensor]]:
    """A missing rank head is the row for "match" of the image-text matching head, as the released code starts it.

    ``matching`` puts the matching head itself beside it, as the model's ``matching``.
    """
    kinds = ("weight", "bias")
    if not {f"itm_score.{kind}" for kind in kinds} <= heads.get("itm", {}).keys():
        return dict(heads)
    itm = {kind: heads["itm"][f"itm_score.{kind}"] for kind in kinds}
    rank = heads.get("rank", {f"rank_output.{kind}": rows[1:] for kind, rows in itm.items()})
    return {**heads, "rank": {**rank, **{f"matching.{kind}": rows for kind, rows in itm.items() if matching}}}


def _split(name: str, tensor: Tensor) -> dict[str, Tensor]:
    """``x.(a|b|c).y`` → three names with a third of the rows each; any other tensor stays whole."""
    joint = re.search(r"\(([\w|]+)\)", name)
    if joint is None:
        return {name: tensor}
    parts = joint[1].split("|")
    pieces = tensor.tensor_split(len(parts))
    return {name.replace(joint[0], part): piece for part, piece in zip(parts, pieces, strict=True)}
