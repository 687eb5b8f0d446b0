"""The authors' LLaVA as transformers' with our adapters.

The place of an image, padding, which is zeros there, and the learnt token before each sequence are further rows of the
embeddings (:data:`EXTRA`); their logits are cut off.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, pad
from transformers import LlavaConfig, LlavaForConditionalGeneration

from golden_decoders import Golden, decoder_states, hidden_first_token, renamed
from skiptune import SkipConfig, insert

GOLDEN = Golden("llava")
IGNORED, IMAGE = -100, -200
EXTRA = ("image", "padding", "learnt")
NAMES = {
    "model.mm_projector.0.": "model.multi_modal_projector.linear_1.",
    "model.mm_projector.2.": "model.multi_modal_projector.linear_2.",
    "model.vision_tower.vision_tower.vision_model.": "model.vision_tower.",
    "model.layers.": "model.language_model.layers.",
    "model.norm.": "model.language_model.norm.",
    "model.embed_tokens.": "model.language_model.embed_tokens.",
    "adapter_adapt_": "block_adapters.",
    "adapter_replace": "skip_adapter",
}


@cache
def llava(adapters: bool = True) -> Any:
    """The model; without ``adapters`` nothing can be learnt, and skipping is the identity."""
    own, names = GOLDEN.config["adapter"], dict(NAMES)
    model = LlavaForConditionalGeneration(_sizes()).eval()
    if hasattr(model.model.vision_tower, "vision_model"):  # transformers 5.20 has one more module
        names["model.vision_tower.vision_tower."] = "model.vision_tower."
    widths = {"block_width": own["dim_adapt"] // 2, "skip_width": own["dim_replace"]}
    insert(model, SkipConfig.llava().replace(**widths) if adapters else SkipConfig(block_adapter="none"))
    state = {
        name: tensor for name, tensor in GOLDEN.tensors("state_dict").items() if adapters or "adapter_" not in name
    }
    state.pop("model.adapter_select_token.weight", None)
    prefix = GOLDEN.tensors("state_dict")["model.adapter_select_token.weight"]
    words, head = state["model.embed_tokens.weight"], state["lm_head.weight"]
    state["model.embed_tokens.weight"] = torch.cat((words, torch.zeros_like(prefix), torch.zeros_like(prefix), prefix))
    state["lm_head.weight"] = pad(head, (0, 0, 0, len(EXTRA)))
    model.load_state_dict(renamed(state, names), strict=True)
    return model


def _sizes() -> LlavaConfig:
    given, vision = GOLDEN.config["model"], GOLDEN.config["vision"]
    text = {name: value for name, value in given.items() if not name.startswith("mm_") and name != "use_cache"}
    strategy = {"patch": "default", "cls_patch": "full"}[given["mm_vision_select_feature"]]
    return LlavaConfig(
        text_config={"model_type": "llama", **text, "vocab_size": given["vocab_size"] + len(EXTRA)},
        vision_config={"model_type": "clip_vision_model", **vision},
        image_token_id=given["vocab_size"],
        vision_feature_layer=given["mm_vision_select_layer"],
        vision_feature_select_strategy=strategy,
        image_seq_length=image_tokens(),
    )


def sequence(part: str = "", training: bool = True) -> dict[str, Tensor]:
    """Arguments of the model, and ``labels``; ``part`` is ``search_`` or nothing.

    In training the first token sees the question, what stands before the first label; else everything.
    """
    given, words = GOLDEN.tensors("inputs"), GOLDEN.config["model"]["vocab_size"]
    rows = {name: given[f"{part}{name}"] for name in ("input_ids", "labels", "attention_mask")}
    ids, labels, mask = (
        torch.stack(
            [
                _with_image(row, place, value, image_tokens())
                for row, place in zip(rows[name], rows["input_ids"], strict=True)
            ]
        )
        for name, value in (("input_ids", words), ("labels", IGNORED), ("attention_mask", 1))
    )
    ids = torch.where(mask == 0, words + EXTRA.index("padding"), ids)
    ids, labels, mask = (
        pad(ids, (1, 0), value=words + EXTRA.index("learnt")),
        pad(labels, (1, 0), value=IGNORED),
        pad(mask, (1, 0), value=1),
    )
    added = hidden_first_token(ids.shape[1], len(ids)).masked_fill(
        mask[:, None, None] == 0, torch.finfo(torch.float32).min
    )
    seen = labels.cummax(1)[0] == IGNORED if training else torch.ones_like(labels, dtype=torch.bool)
    added[:, 0, 0].masked_fill_(seen, 0)
    return {"input_ids": ids, "pixel_values": given[f"{part}images"], "attention_mask": added, "labels": labels}


def prompt() -> Tensor:
    """The stream that generation begins with, ``(1, tokens, width)``."""
    ids, words = torch.tensor(GOLDEN.config["generation"]["prompt"]), GOLDEN.config["model"]["vocab_size"]
    whole = torch.cat((torch.tensor([words + EXTRA.index("learnt")]), _with_image(ids, ids, words, image_tokens())))
    image = {"pixel_values": GOLDEN.tensors("inputs")["generation_image"]}
    return decoder_states(llava(), input_ids=whole[None], **image)["hidden_0"]


@torch.no_grad()
def image_parts(model: Any, images: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs of the tower and of the projector, both ``(batch, tokens, width)``."""
    layer = GOLDEN.config["model"]["mm_vision_select_layer"]
    features = model.model.vision_tower(images, output_hidden_states=True).hidden_states[layer][:, 1:]
    return features, model.model.multi_modal_projector(features)


def _with_image(row: Tensor, ids: Tensor, value: int, tokens: int) -> Tensor:
    """A row with the value of an image's tokens in its place."""
    place = int((ids == IMAGE).nonzero())
    return torch.cat((row[:place], row.new_full((tokens,), value), row[place + 1 :]))


def image_tokens() -> int:
    vision = GOLDEN.config["vision"]
    return int((vision["image_size"] // vision["patch_size"]) ** 2)


def real_tokens() -> Tensor:
    """How many positions of each row are compared: all but the padding."""
    found: Tensor = GOLDEN.tensors("inputs")["attention_mask"].sum(1) + image_tokens()
    return found


def loss(logits: Tensor, labels: Tensor) -> Tensor:
    """The authors' loss, of a batch."""
    return cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED)
