"""Import transformers without what a model in evaluation mode on one device never calls.

``import transformers.modeling_utils`` takes more processor time than ``import torch``, whatever model is wanted: it
imports torch's compiler, tensors spread over several devices, accelerate and scipy, for training, quantisation and the
losses of object detectors. A process that answers one question and ends would pay that at every call.

What is left out stays out for the whole process: this is for such a command alone, never for the library.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

#: Packages that transformers does without where they are not installed.
_OPTIONAL = ("accelerate", "scipy", "sklearn", "pandas")
_COMPILER = "torch._dynamo"
#: The modules that all models need.
_MODEL_CODE = ("transformers.modeling_utils", "transformers.masking_utils")


def import_transformers_quickly() -> None:
    """Import the code that all models share, if that is not done yet.

    A version of torch or transformers that cannot be imported so is imported as usual, once it is needed.
    """
    if any(name in sys.modules for name in (*_MODEL_CODE, *_OPTIONAL, _COMPILER)):
        return
    gc.disable()  # of hundreds of thousands of new objects none is garbage
    try:
        import torch

        with _as_if_not_installed(), _on_one_device(torch.distributed), _without_compiler(torch):
            with _without_reading_all_models(import_module("transformers.utils.import_utils")):
                import_module("transformers.models")
            for name in _MODEL_CODE:
                import_module(name)
    except Exception:  # private names may be gone, or used in another way
        return
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def _as_if_not_installed() -> Iterator[None]:
    """Mark packages as not installed, in Python's own way: ``None`` among the imported modules."""
    sys.modules.update(dict.fromkeys(_OPTIONAL))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in _OPTIONAL:
            sys.modules.pop(name, None)


@contextmanager
def _on_one_device(distributed: Any) -> Iterator[None]:
    """As in a build of torch for one process, for which transformers has no tensors over several devices."""
    available = distributed.is_available
    distributed.is_available = lambda: False
    try:
        yield
    finally:
        distributed.is_available = available


class _Unused(ModuleType):
    """In the place of torch's compiler: its decorators leave functions as they are."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _leave


def _leave(function: Any = None, *args: Any, **settings: Any) -> Any:
    return _leave if function is None else function


@contextmanager
def _without_compiler(torch: Any) -> Iterator[None]:
    """Model code only marks functions for the compiler; afterwards it can be imported as ever."""
    compiler = _Unused(_COMPILER)
    spec = find_spec("torch")
    folders = spec.submodule_search_locations if spec is not None else None
    compiler.__path__ = [f"{folder}/_dynamo" for folder in folders or ()]  # it has a module that masks are made with
    sys.modules[_COMPILER] = torch._dynamo = compiler
    try:
        yield
    finally:
        sys.modules.pop(_COMPILER, None)
        del torch._dynamo


@contextmanager
def _without_reading_all_models(import_utils: Any) -> Iterator[None]:
    """``transformers`` has read the files of all models for their names; ``transformers.models`` would do it again."""
    read = import_utils.define_import_structure
    import_utils.define_import_structure = lambda *folder, **settings: {}
    try:
        yield
    finally:
        import_utils.define_import_structure = read
