"""transformers' processors that need torchvision for videos, for images and texts alone.

Each has the name of the class it stands for, which is written into its files, so that
``AutoProcessor`` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers import (
    InternVLProcessor as _InternVLProcessor,
)
from transformers import (
    LlavaOnevisionProcessor as _LlavaOnevisionProcessor,
)
from transformers import (
    ProcessorMixin,
)
from transformers import (
    Qwen2_5_VLProcessor as _Qwen2_5_VLProcessor,
)
from transformers import (
    Qwen2VLProcessor as _Qwen2VLProcessor,
)
from transformers import (
    Qwen3VLProcessor as _Qwen3VLProcessor,
)
from transformers import (
    SmolVLMProcessor as _SmolVLMProcessor,
)


class WithoutVideos:
    """Before a processor of transformers among the bases of a class.

    ``video_processor`` holds the settings for videos as they were read, so that they are written again.
    """

    @classmethod
    def get_attributes(cls) -> list[str]:
        """The parts that are made and used."""
        return [name for name in super().get_attributes() if name != "video_processor"]  # type: ignore[misc]


class Qwen2VLProcessor(WithoutVideos, _Qwen2VLProcessor):
    """Qwen2-VL's."""


class Qwen2_5_VLProcessor(WithoutVideos, _Qwen2_5_VLProcessor):  # noqa: N801 - the name that is written
    """Qwen2.5-VL's."""


class Qwen3VLProcessor(WithoutVideos, _Qwen3VLProcessor):
    """Qwen3-VL's."""


class LlavaOnevisionProcessor(WithoutVideos, _LlavaOnevisionProcessor):
    """LLaVA-OneVision's."""


class InternVLProcessor(WithoutVideos, _InternVLProcessor):
    """InternVL's."""


class SmolVLMProcessor(WithoutVideos, _SmolVLMProcessor):
    """SmolVLM's, whose own ``__init__`` needs the package num2words, for videos."""

    def __init__(
        self,
        image_processor: Any,
        tokenizer: Any,
        video_processor: Any = None,
        image_seq_len: int = 169,
        chat_template: str | None = None,
        **kwargs: Any,
    ) -> None:
        named = {
            "fake_image_token": "<fake_token_around_image>",
            "image_token": "<image>",
            "end_of_utterance_token": "<end_of_utterance>",
            "global_image_token": "<global-img>",
            "video_token": "<video>",
        }
        for name, usual in named.items():
            setattr(self, name, getattr(tokenizer, name, usual))
        self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        self.image_seq_len = image_seq_len
        ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)

    def apply_chat_template(self, *args: Any, **kwargs: Any) -> Any:
        """As the base of all processors, without the video processor's number of frames."""
        return ProcessorMixin.apply_chat_template(self, *args, **kwargs)


#: By the name of the class they stand for.
WITHOUT_TORCHVISION: Mapping[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        Qwen2VLProcessor,
        Qwen2_5_VLProcessor,
        Qwen3VLProcessor,
        LlavaOnevisionProcessor,
        InternVLProcessor,
        SmolVLMProcessor,
    )
}
