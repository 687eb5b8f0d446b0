"""Answers that a model writes to prompts, by transformers' ``generate``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from transformers import StoppingCriteriaList

from ...core.errors import InputError
from ...data.turns import Turn
from ...families.chat_processor import ChatProcessor
from .decoding import Decoding
from .sampling import sampling
from .stopping import AtTexts, before_stop
from .template import Suffixes, Template
from .thoughts import answer_texts


@dataclass(frozen=True)
class Written:
    """What a model answers.

    Attributes:
        text: without white space around it, special tokens, and thoughts before it.
        cut: whether it had no end when as many tokens were written as are allowed.
    """

    text: str
    cut: bool = False


class Writer:
    """Lets models write.

    Args:
        processor: of the model.
        ends: tokens that end an answer, beside those of the model's generation configuration.
        static: whether keys and values stand in tensors of one size from the beginning, where the model has such.
    """

    def __init__(self, processor: ChatProcessor, ends: Sequence[int] = (), static: bool = False) -> None:
        self.processor, self.ends, self.static = processor, tuple(ends), static

    def write(
        self, model: Any, prompts: dict[str, Tensor], decoding: Decoding, names: Sequence[str], **further: Any
    ) -> list[Written]:
        """The answer to every prompt.

        Args:
            model: in evaluation mode, as it stands.
            prompts: padded on the left, on the model's device.
            decoding: how; with its ``max_new_tokens``.
            names: of the prompts, see :func:`.sampling.sampling`.
            further: arguments of ``generate``, e.g. a streamer.
        """
        tokenizer, ends, begin = self.processor.tokenizer, self._ends(model), prompts["input_ids"].shape[1]
        options = {**self._options(model, decoding), **further}
        stopping = [*options.pop("stopping_criteria", ())]
        if decoding.stop:
            stopping.append(AtTexts(tokenizer, decoding.stop, begin))
        if stopping:
            options["stopping_criteria"] = StoppingCriteriaList(stopping)
        found = model.generate(**prompts, eos_token_id=ends, logits_processor=sampling(decoding, names), **options)
        new, texts = found[:, begin:].tolist(), answer_texts(tokenizer, found, begin)
        return [_written(text, row, ends, decoding) for text, row in zip(texts, new, strict=True)]

    def _options(self, model: Any, decoding: Decoding) -> dict[str, Any]:
        pad = self.processor.tokenizer.pad_token_id
        found: dict[str, Any] = {"max_new_tokens": decoding.max_new_tokens, "pad_token_id": pad}
        # what the noise of `sampling` does not draw is the largest logit
        found |= {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        if decoding.sampled:
            found["num_beams"] = 1
        if self.static and getattr(model, "_can_compile_fullgraph", False):
            found["cache_implementation"] = "static"
        seen = {*self.processor.image_numbers, *image_tokens(model.config)}
        if never := sorted({*(model.generation_config.suppress_tokens or ()), *seen}):
            found["suppress_tokens"] = never
        return found

    def _ends(self, model: Any) -> list[int]:
        """Tokens that end an answer: those of the generation configuration, the tokenizer, and the chat template."""
        own = model.generation_config.eos_token_id
        told = [own] if isinstance(own, int) else list(own or ())
        return sorted({*told, *self.ends, self.processor.tokenizer.eos_token_id} - {None})


def template_ends(template: Template | Suffixes, tokenizer: Any) -> tuple[int, ...]:
    """The special token that a chat template writes behind an answer; none if it writes another text there."""
    try:
        found = template.conversation((Turn("user", ("a",)), Turn("assistant", ("b",))))
    except InputError:  # it wants other conversations
        return ()
    start, end = found.answers[-1]
    ids = tokenizer(found.text[start:end].partition("b")[2].lstrip(), add_special_tokens=False)["input_ids"]
    return tuple(ids[:1]) if ids and ids[0] in tokenizer.all_special_ids else ()


def image_tokens(config: Any) -> list[int]:
    """Tokens that stand for what is seen; a model that wrote one would wait for an image."""
    names = [f"{kind}_token_{end}" for kind in ("image", "video") for end in ("id", "index")]
    found = (getattr(config, name, None) for name in names)
    return [token for token in found if isinstance(token, int)]


def _written(text: str, row: Sequence[int], ends: Sequence[int], decoding: Decoding) -> Written:
    stopped = before_stop(text, decoding.stop)
    ended = stopped is not None or not set(ends).isdisjoint(row)
    return Written((text if stopped is None else stopped).strip(), not ended)
