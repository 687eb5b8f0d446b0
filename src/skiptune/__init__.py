"""SkipTune: adapt a vision-language Transformer with a few percent of its parameters and fewer operations.

The public names stand in ``__init__.pyi``, for type checkers and for :mod:`lazy_loader` alike: each is loaded on first
use, so that the command line answers quickly. For the same reason transformers is not imported here; as soon as it is,
its auto classes learn to read slim models.
"""

from functools import partial
from importlib import import_module

import lazy_loader

from .core.after_import import after_import
from .version import __version__ as __version__

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


for _theirs, _ours in (("configuration_auto", ".exporting.auto_configs"), ("modeling_auto", ".exporting.auto_classes")):
    after_import(f"transformers.models.auto.{_theirs}", partial(import_module, _ours, __name__))
