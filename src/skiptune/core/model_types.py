"""The ``model_type`` in ``config.json`` of what SkipTune writes: none that transformers knows by itself, so that its
classes fail at once."""

from __future__ import annotations

from typing import Final

#: Of a slim model.
SLIM: Final = "skiptune-slim"
#: Of a model with adapters, blocks and all, as its ``save_pretrained`` writes it.
ADAPTED: Final = "skiptune-adapted"
