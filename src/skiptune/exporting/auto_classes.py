"""What transformers' ``AutoModel`` makes of the directories that SkipTune writes.

Registered by transformers' public ``register``, as soon as its auto classes are imported. Without SkipTune, the same
calls end with the message that the ``model_type`` is not known. Imported in the middle of transformers' own imports, so
it imports nothing of SkipTune but names and errors; the rest when a model is loaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import torch
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import AutoModel, AutoModelForVisualQuestionAnswering

from ..core.errors import InputError
from .auto_configs import AdaptedConfig, SlimConfig

#: What the result of ``output_loading_info=True`` says: everything was read, or loading would have refused.
_NOTHING_WRONG: dict[str, Any] = {
    "missing_keys": set(), "unexpected_keys": set(), "mismatched_keys": set(), "error_msgs": []
}  # fmt: skip


class _FoundModel:
    """In the place of a model class: ``from_pretrained`` is :func:`skiptune.load`."""

    config_class: ClassVar[type[PreTrainedConfig]]
    #: The tasks whose models the auto class stands for; ``None``: all.
    head: ClassVar[str | None] = None

    @classmethod
    def from_pretrained(cls, source: str | Path, *given: Any, **settings: Any) -> Any:
        """The model in a directory or of a hub id, with its head, of its family's own class.

        Args:
            source: directory or hub id.
            given: not used.
            settings: ``dtype``, ``device_map`` with one device, ``revision`` and ``output_loading_info`` as in
                transformers; others concern how transformers would read the weights.

        Raises:
            InputError: as :func:`skiptune.load`, or the model is for another task.
        """
        from ..families.registry import family_of
        from ..inserting.adapted_class import plain_class
        from .hub import local_folder
        from .load import load

        model: PreTrainedModel = load(local_folder(source, settings.get("revision")))
        if cls.head is not None and plain_class(model) is not family_of(model).model_classes.get(cls.head):
            raise InputError(f"{source}: {type(model).__name__} is no model for {cls.head}; AutoModel loads any")
        dtype, device = settings.get("dtype", settings.get("torch_dtype")), settings.get("device_map")
        if isinstance(device, dict):
            device = device.get("")
        if isinstance(dtype, str) and dtype != "auto":
            dtype = getattr(torch, dtype)
        if isinstance(dtype, torch.dtype):
            model.to(dtype)
        if device not in (None, "auto"):
            model.to(device)
        return (model, dict(_NOTHING_WRONG)) if settings.get("output_loading_info") else model

    @classmethod
    def _from_config(cls, config: Any, **settings: Any) -> Any:
        """What ``AutoModel.from_config`` calls.

        Raises:
            InputError: always; a model that was trained is read, not made.
        """
        raise InputError("from_config: a slim model is trained weights without blocks; read it by from_pretrained")


for _config in (SlimConfig, AdaptedConfig):
    for _auto, _head in ((AutoModel, None), (AutoModelForVisualQuestionAnswering, "vqa")):
        _made = type(f"{_config.__name__[:-6]}Model", (_FoundModel,), {"config_class": _config, "head": _head})
        _auto.register(_config, _made, exist_ok=True)
