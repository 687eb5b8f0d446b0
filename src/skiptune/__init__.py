"""SkipTune: adapt a vision-language Transformer with a few percent of its parameters and fewer operations.

The public names stand in ``__init__.pyi``, for type checkers and for :mod:`lazy_loader` alike: each is loaded on first
use, so that the command line answers quickly.
"""

import sys

import lazy_loader

from .version import __version__ as __version__

_find, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    found = _find(name)
    _tell_transformers()
    return found


def _tell_transformers() -> None:
    """Let its auto classes read slim models, if transformers is imported; it is not imported for that."""
    if sys.modules.get("transformers") is not None:
        from .exporting.auto_classes import register_auto

        register_auto()


_tell_transformers()
