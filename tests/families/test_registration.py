"""Families that are added: by a call, or by an installed package."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import CLIPConfig, CLIPModel, CLIPProcessor

from skiptune import BlockKind, Family, InputError, SkipConfig, blocks_of, insert, load_processor, register_family
from skiptune.families import registry
from skiptune.families.clip.row import FAMILY as CLIP
from skiptune.families.clip.skipping import SkippableClipImageLayer
from skiptune.families.registry import family_of_processor, family_of_type, model_class_named, supported
from skiptune.models.architectures import ARCHITECTURES


class OtherConfig(CLIPConfig):
    model_type = "other_clip"


class OtherModel(CLIPModel):
    config_class = OtherConfig


class OtherProcessor(CLIPProcessor):
    pass


def other(**changes: Any) -> Family:
    fields: dict[str, Any] = {
        "name": "other_clip",
        "config_class": OtherConfig,
        "model_classes": {},
        "bare_classes": (OtherModel,),
        "processor_classes": (OtherProcessor, CLIP.processors[1]),
    }
    return replace(CLIP, **{**fields, **changes})


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_REGISTERED", {})


def test_a_family_is_found_by_model_class_and_processor() -> None:
    family = register_family(other())
    assert family_of_type("other_clip", "x") is family
    assert model_class_named("OtherModel", None) == (OtherModel, family)
    processor = load_processor("clip-tiny")
    assert family_of_processor(processor).name == "clip"
    assert family_of_processor(OtherProcessor(processor.image_processor, processor.tokenizer)) is family
    model = OtherModel(OtherConfig(**ARCHITECTURES["clip-tiny"].sizes))
    assert len(blocks_of(insert(model))) == 7
    assert "other_clip" in supported()


def test_a_name_or_a_processor_that_is_taken_is_refused() -> None:
    register_family(other())
    with pytest.raises(InputError, match="there is a family of this name"):
        register_family(other())
    again = register_family(other(), replace=True)
    assert family_of_type("other_clip", "x") is again
    with pytest.raises(InputError, match="there is a family of this name"):
        register_family(CLIP, replace=True)
    registry._REGISTERED.clear()
    with pytest.raises(InputError, match="CLIPProcessor belongs to clip, and tasks know a family by its processor"):
        register_family(other(processor_classes=CLIP.processor_classes))


def test_all_that_is_wrong_is_said_at_once() -> None:
    kinds = (BlockKind(CLIPModel), BlockKind(SkippableClipImageLayer))  # type: ignore[arg-type]
    odd = other(
        name="odd", kinds=kinds, below=None, base_prefix="body", poolers="pooler.", model_classes={"vqa": CLIPModel}
    )
    with pytest.raises(InputError) as refused:
        register_family(odd)
    for name in ("kinds", "name", "below", "base_prefix", "poolers", "model_classes"):
        assert f"- {name}: " in str(refused.value)
    with pytest.raises(InputError, match="is not a Family"):
        register_family("clip")  # type: ignore[arg-type]


def test_adapters_without_a_place_are_refused() -> None:
    register_family(other(kinds=tuple(replace(kind, sublayers=0, lora_targets=()) for kind in CLIP.kinds)))
    model = OtherModel(OtherConfig(**ARCHITECTURES["clip-tiny"].sizes))
    with pytest.raises(InputError, match="add no adapters of their own"):
        insert(model)
    with pytest.raises(InputError, match="names no layers for it"):
        insert(model, SkipConfig(block_adapter="lora"))
    insert(model, SkipConfig(block_adapter="none"))


def test_packages_announce_families(monkeypatch: pytest.MonkeyPatch) -> None:
    point = SimpleNamespace(name="other_clip", value="package:FAMILY", load=other)
    monkeypatch.setattr(registry, "_announced", lambda: {"other_clip": point, "odd": point})
    assert family_of_type("other_clip", "x") is family_of_type("other_clip", "x")
    with pytest.raises(InputError, match="entry point odd = package:FAMILY: is no family of this name"):
        family_of_type("odd", "x")
    monkeypatch.setattr(registry, "_announced", lambda: {"gone": SimpleNamespace(value="gone:X", load=lambda: 1 / 0)})
    with pytest.raises(InputError, match="entry point gone = gone:X: cannot be loaded: division"):
        family_of_type("gone", "x")
