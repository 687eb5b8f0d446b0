"""Find the Trainer that calls a callback."""

from __future__ import annotations

import inspect

from transformers import Trainer

from ..core.errors import RunError


def calling_trainer() -> Trainer:
    """The Trainer in one of whose methods this is called.

    Transformers tells a callback the model, the data loaders and the state, but not the Trainer, whose
    ``compute_loss`` is needed. It is the ``self`` of the nearest call that is a Trainer's.

    Raises:
        RunError: no Trainer calls.
    """
    frame = inspect.currentframe()
    try:
        while frame is not None:
            owner = frame.f_locals.get("self")
            if isinstance(owner, Trainer):
                return owner
            frame = frame.f_back
    finally:
        del frame  # a frame that refers to itself is only freed by the collector
    raise RunError("SkipSearch: not called by a Trainer; give it to one, Trainer(..., callbacks=[search])")
