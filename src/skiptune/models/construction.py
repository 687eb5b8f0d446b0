"""Models are made one at a time.

While transformers makes or reads a model, it puts functions of its own into ``torch.nn.init``, makes ``tie_weights`` do
nothing, and sets torch's default type of numbers, for all threads. Two threads that do so at once put back each other's
functions, which then stay for good. So everything here that makes a model, or changes what the process has only one of,
holds one lock. Code of others that calls transformers' ``from_pretrained`` beside it does not.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from transformers.utils import logging

from ..core.seeding import drawn_from

#: Reentrant, because reading a trained head reads a second model.
ONE_AT_A_TIME = threading.RLock()


@contextmanager
def construction(seed: int = 0) -> Iterator[None]:
    """Context to make or read a model in: no other thread does, and this one draws from ``seed``."""
    with ONE_AT_A_TIME, drawn_from(seed):
        yield


@contextmanager
def unsaid() -> Iterator[None]:
    """Context in which transformers prints nothing about loading; no other thread makes a model meanwhile."""
    with ONE_AT_A_TIME:
        said = logging.get_verbosity()
        logging.set_verbosity_error()
        try:
            yield
        finally:
            logging.set_verbosity(said)


@contextmanager
def without_their_bars() -> Iterator[None]:
    """Context in which transformers shows no progress bars, because a bar of ours stands for the work."""
    with ONE_AT_A_TIME:
        shown = logging.is_progress_bar_enabled()
        if shown:
            logging.disable_progress_bar()
        try:
            yield
        finally:
            if shown:
                logging.enable_progress_bar()
