"""What transformers' own ``AutoConfig`` and ``AutoModel`` make of the directories that SkipTune writes.

They are registered by transformers' public ``register``. Without SkipTune, the same calls end with the message that
the ``model_type`` is not known.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import torch
from transformers import AutoConfig, AutoModel, AutoModelForVisualQuestionAnswering, PreTrainedConfig, PreTrainedModel

from ..core.errors import InputError
from ..inserting import saved_model
from ..inserting.adapted_class import plain_class
from . import manifest

#: What the result of ``output_loading_info=True`` says: everything was read, or loading would have refused.
_NOTHING_WRONG: dict[str, Any] = {
    "missing_keys": set(), "unexpected_keys": set(), "mismatched_keys": set(), "error_msgs": []
}  # fmt: skip


class _FoundConfig(PreTrainedConfig):
    """``config.json`` of a directory that SkipTune wrote, with the labels of the model in it."""

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **settings: Any) -> Any:
        """As transformers has it, with ``id2label``, ``label2id`` and ``architectures`` from inside."""
        inside = config_dict.get("base_config")
        labels = {name: inside[name] for name in ("id2label", "label2id") if inside and name in inside}
        own = {"architectures": [config_dict.get("architecture")], **labels}
        return super().from_dict({**config_dict, **own}, **settings)


class SlimConfig(_FoundConfig):
    """The configuration of a slim directory."""

    model_type = manifest.MODEL_TYPE


class AdaptedConfig(_FoundConfig):
    """The configuration of a model with adapters that ``save_pretrained`` wrote."""

    model_type = saved_model.MODEL_TYPE


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


def register_auto() -> None:
    """Let transformers' ``AutoConfig``, ``AutoModel`` and ``AutoModelForVisualQuestionAnswering`` read slim models.

    The first use of any name of :mod:`skiptune` does so, and importing it after transformers. Call it where
    ``import skiptune`` comes first and nothing else of it is used.
    """
    for config in (SlimConfig, AdaptedConfig):
        AutoConfig.register(config.model_type, config, exist_ok=True)
        for auto, head in ((AutoModel, None), (AutoModelForVisualQuestionAnswering, "vqa")):
            made = type(f"{config.__name__[:-6]}Model", (_FoundModel,), {"config_class": config, "head": head})
            auto.register(config, made, exist_ok=True)
