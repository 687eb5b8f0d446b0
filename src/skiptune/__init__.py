"""SkipTune: adapt a vision-language Transformer with a few percent of its parameters and fewer operations.

The public names stand in ``__init__.pyi``, for type checkers and for :mod:`lazy_loader` alike: each is loaded on first
use, so that the command line answers quickly.
"""

import lazy_loader

from .version import __version__ as __version__

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
