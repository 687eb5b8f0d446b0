"""What transformers' ``AutoConfig`` makes of the directories that SkipTune writes.

Imported in the middle of transformers' own imports, so it imports nothing of SkipTune but names.
"""

from __future__ import annotations

from typing import Any

from transformers import PreTrainedConfig
from transformers.models.auto.configuration_auto import AutoConfig

from ..core.model_types import ADAPTED, SLIM


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

    model_type = SLIM


class AdaptedConfig(_FoundConfig):
    """The configuration of a model with adapters that ``save_pretrained`` wrote."""

    model_type = ADAPTED


for _config in (SlimConfig, AdaptedConfig):
    AutoConfig.register(_config.model_type, _config, exist_ok=True)
