"""Weights under the names of the original ViLT and METER code and of the released DAS code, read for ours.

:func:`read_original` renames a state dictionary into the names of our models for the body and the task heads, and into
those of :func:`skiptune.insert` for the adapters. :func:`model_from_original` builds a ready model from it.
"""

from .build import model_from_original, read_original, released_blocks
from .layout import OriginalWeights

__all__ = ["OriginalWeights", "model_from_original", "read_original", "released_blocks"]
