"""Score several continuations of each prompt; the prompt is run once, and its cache stands for it in all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import DynamicCache

from ...families.decoders.cache import cache_argument, select_rows

#: Ids of tokens.
Tokens = Sequence[int]


@torch.inference_mode()
def log_probabilities(
    model: Any, prompts: dict[str, Tensor], continuations: Sequence[Sequence[Tokens]]
) -> list[list[Tensor]]:
    """The log-probability of every token of the continuations, as if each stood behind its prompt in a text by itself.

    Args:
        model: in evaluation mode, as it stands.
        prompts: inputs (batch, tokens), padded on the left, on the model's device.
        continuations: of each prompt; at least one each, of at least one token.

    Returns:
        For each prompt, for each of its continuations, (tokens,) natural logarithms, float32 on the CPU.
    """
    device = prompts["input_ids"].device
    rows = torch.tensor([row for row, own in enumerate(continuations) for _ in own], device=device)
    texts = [torch.tensor(tokens, device=device) for own in continuations for tokens in own]
    ids, shown = (pad_sequence(parts, batch_first=True) for parts in (texts, [torch.ones_like(text) for text in texts]))
    cache = DynamicCache(config=model.config)
    run = {"use_cache": True, str(cache_argument(model)): cache}
    first = model(**prompts, **_first_positions(model, prompts), **run, logits_to_keep=1).logits[:, -1]
    found = torch.log_softmax(first.float(), -1)[rows].gather(1, ids[:, :1])
    if ids.shape[1] > 1:
        select_rows(cache, rows)
        mask = torch.cat((prompts["attention_mask"][rows], shown[:, :-1]), 1)
        places = _next_positions(model, mask, ids.shape[1] - 1, rows if "image_grid_thw" in prompts else None)
        logits = model(input_ids=ids[:, :-1], attention_mask=mask, position_ids=places, **run).logits
        later = torch.log_softmax(logits.float(), -1).gather(2, ids[:, 1:, None])[..., 0]
        found = torch.cat((found, later), 1)
    scored = iter(row[: len(text)] for row, text in zip(found.cpu(), texts, strict=True))
    return [[next(scored) for _ in own] for own in continuations]


def _first_positions(model: nn.Module, prompts: dict[str, Tensor]) -> dict[str, Tensor]:
    """Positions of prompts; with images, a model that has three for each token makes them itself."""
    if "image_grid_thw" in prompts:
        return {}
    mask = prompts["attention_mask"]
    return {"position_ids": _next_positions(model, mask, mask.shape[1], None)}


def _next_positions(model: Any, mask: Tensor, tokens: int, rows: Tensor | None) -> Tensor:
    """Positions (batch, tokens) of the last tokens, or three of each, (3, batch, tokens).

    Args:
        model: that reads them.
        mask: (batch, tokens), 0 on padding, of all tokens so far.
        tokens: how many are read now.
        rows: of the prompts, for each row of ``mask``, where images have made the model's own positions differ from the
            numbers of tokens.
    """
    places = (mask.cumsum(-1) - 1).clamp_min(0)[:, -tokens:]
    body: Any = getattr(model, "model", None)
    if not hasattr(body, "rope_deltas"):
        return places
    shift = 0 if rows is None else body.rope_deltas.to(places)[rows]
    return (places + shift).expand(3, -1, -1)
