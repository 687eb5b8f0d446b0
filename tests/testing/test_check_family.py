"""Every family does what the library relies on; one that does not hears of all of it at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import CLIPConfig, CLIPForImageClassification, CLIPModel, VisualBertConfig, VisualBertModel
from transformers.models.visual_bert.modeling_visual_bert import VisualBertLayer

from skiptune import BlockKind, Family, InputError, InputSizes, SkippableBlock, load_model, register_family
from skiptune.families import registry
from skiptune.families.clip.row import FAMILY as CLIP
from skiptune.models.architectures import ARCHITECTURES
from skiptune.testing import check_family

TRIED = [
    ("vilt", "vqa"),
    ("meter", "entailment"),
    ("bridgetower", "retrieval"),
    ("clip", "retrieval"),
    ("clip", "vqa"),
    ("siglip", "retrieval"),
]


@pytest.mark.parametrize(("family", "task"), TRIED)
def test_every_family_conforms(family: str, task: str) -> None:
    check_family(load_model(f"{family}-tiny", task, num_labels=3))


def test_a_class_of_transformers_with_inputs_of_ones_own() -> None:
    pixels = torch.randn(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    check_family(CLIPForImageClassification(ARCHITECTURES["clip-tiny"].config()), {"pixel_values": pixels})


class BrokenConfig(CLIPConfig):
    model_type = "broken_clip"


class BrokenModel(CLIPModel):
    config_class = BrokenConfig


class BrokenLayer(SkippableBlock, type(CLIPModel(ARCHITECTURES["clip-tiny"].config()).text_model.encoder.layers[0])):  # type: ignore[misc]
    """Loses its stream when it is skipped, and adds adapters that it does not say it has."""

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        found: Tensor = super().forward(hidden_states, *args, **kwargs)
        return torch.zeros_like(found) if self.skipped else found


def test_a_broken_family_hears_of_everything_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_REGISTERED", {})
    broken = replace(
        CLIP,
        name="broken_clip",
        config_class=BrokenConfig,
        kinds=(BlockKind(BrokenLayer, lambda config: config.text_config.hidden_size, lora_targets=("mlp.fc1",)),),
        adopt=None,
        blocks=lambda model: {str(number): layer for number, layer in enumerate(model.text_model.encoder.layers)},
        below=lambda model: [model.text_model.final_layer_norm],
        base_prefix="vision_model.",
        model_classes={},
        bare_classes=(BrokenModel,),
        processor_classes=None,
    )
    register_family(broken)
    with pytest.raises(InputError) as refused:
        check_family(BrokenModel(BrokenConfig(**ARCHITECTURES["clip-tiny"].sizes)))
    said = str(refused.value)
    assert said.startswith("family 'broken_clip', tried out on BrokenModel")
    for expected in (
        "skipping: block 0, skipped, does not pass its first argument on",
        "parameter_names: base_prefix: ",
        "prefix_sharing: with block 0 skipped, ",
    ):
        assert expected in said


class TupleLayer(SkippableBlock, VisualBertLayer):
    """Gives a tuple, and does not say so."""


class SayingLayer(SkippableBlock, VisualBertLayer):
    returns_tuple = True


def test_blocks_that_give_tuples(monkeypatch: pytest.MonkeyPatch) -> None:
    """VisualBERT, which takes no pictures but features of their parts."""
    monkeypatch.setattr(registry, "_REGISTERED", {})
    targets = ("attention.self.query", "output.dense")
    family = Family(
        name="visual_bert",
        kinds=(BlockKind(TupleLayer, lora_targets=targets),),
        blocks=lambda model: {str(number): layer for number, layer in enumerate(model.encoder.layer)},
        config_class=VisualBertConfig,
        sizes=lambda config: InputSizes(32, 16, config.vocab_size, 8, config.max_position_embeddings),
        base_prefix="visual_bert.",
        bare_classes=(VisualBertModel,),
        below=lambda model: [model.embeddings],
    )
    register_family(family)
    small = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64, "vocab_size": 100}
    model = VisualBertModel(VisualBertConfig(num_hidden_layers=2, visual_embedding_dim=16, **small))
    generator = torch.Generator().manual_seed(0)
    inputs = {
        "input_ids": torch.randint(5, 100, (2, 8), generator=generator),
        "attention_mask": torch.ones(2, 8, dtype=torch.long),
        "visual_embeds": torch.randn(2, 4, 16, generator=generator),
        "visual_attention_mask": torch.ones(2, 4),
    }
    with pytest.raises(InputError, match="block 0 gives a tuple; set returns_tuple = True in TupleLayer"):
        check_family(model, inputs)
    register_family(replace(family, kinds=(BlockKind(SayingLayer, lora_targets=targets),)), replace=True)
    check_family(model, inputs)
