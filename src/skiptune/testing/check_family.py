"""Try out a model family: everything that the library relies on, all failures in one message."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from torch import Tensor, nn
from transformers import PreTrainedModel

from ..core.arguments import expect
from ..core.errors import first_line
from ..core.validation import Problems
from ..families.registry import family_of
from .output_checks import block_outputs, costs, insertion, padding, parameter_names, prefix_sharing, skipping
from .slim_checks import folded_adapters, saved_models, slim_models
from .training_checks import gradient_checkpointing, gradients
from .trial import Trial

#: Yields what is wrong, in words.
Check: TypeAlias = Callable[[Trial], Iterator[str]]

_CHECKS: tuple[Check, ...] = (
    insertion,
    block_outputs,
    skipping,
    parameter_names,
    gradients,
    gradient_checkpointing,
    prefix_sharing,
    costs,
    padding,
    slim_models,
    folded_adapters,
    saved_models,
)


def check_family(model: PreTrainedModel, inputs: Mapping[str, Tensor] | None = None) -> None:
    """Try out the family of ``model``, for a test of one's own family. ``model`` is not changed.

    - Inserting adapters changes no output, bit for bit; ``hidden_states`` are complete, whatever is skipped.
    - A block that gives a tuple says so.
    - A skipped block passes its stream on, and every block has a part in the outputs.
    - Gradients reach all adapters that are used and nothing that is frozen, with gradient checkpointing too.
    - Subnetworks evaluated together give what each gives alone, bit for bit.
    - Multiply-accumulates fall with every skipped block, as counted.
    - A text in a padded batch gives what it gives alone.
    - Linear skip adapters fold into kept blocks where the family says so.
    - A slim model, and one that transformers saved, computes the same after loading.

    Args:
        model: a small one with random weights, of a class with a head or a bare one, without adapters.
        inputs: a batch of two for it, without labels; ``None``: random ones of the family's ``sizes``.

    Raises:
        InputError: all that is wrong, in sentences, each after the name of its check.
    """
    expect("check_family", model=(model, nn.Module))
    family = family_of(model)
    trial = Trial(model, family, inputs)
    problems = Problems(f"family {family.name!r}, tried out on {type(model).__name__}")
    for check in _CHECKS:
        try:
            for said in check(trial):
                problems.add(f"{check.__name__}: {said}")
        except Exception as error:  # the code of others can raise anything
            problems.add(f"{check.__name__}: {type(error).__name__}: {first_line(error)}")
    problems.raise_any()
