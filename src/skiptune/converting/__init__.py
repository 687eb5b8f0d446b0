"""Convert weights of the original ViLT and METER code and of the released DAS code.

:func:`read_original` renames a state dictionary into the names of our models for the body and the task heads, and into
those of :func:`skiptune.insert` for the adapters. :func:`model_from_original` builds a ready model from it, with sizes
that :func:`sizes_of_state` infers. :func:`read_checkpoint` gets the dictionary out of a file.
"""

from .build import (
    adapters_of_state,
    layout_of_state,
    model_from_original,
    read_original,
    released_blocks,
    sizes_of_state,
)
from .checkpoint_file import Checkpoint, read_checkpoint
from .layout import OriginalWeights
from .released_plan import released_plan
from .shapes import Hints

__all__ = [
    "Checkpoint",
    "Hints",
    "OriginalWeights",
    "adapters_of_state",
    "layout_of_state",
    "model_from_original",
    "read_checkpoint",
    "read_original",
    "released_blocks",
    "released_plan",
    "sizes_of_state",
]
