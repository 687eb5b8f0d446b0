"""BridgeTower: transformers' numbers, checkpoints, heads, costs. What it shares with METER: test_two_streams.py."""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor
from transformers import (
    BridgeTowerConfig,
    BridgeTowerForImageAndTextRetrieval,
    BridgeTowerModel,
    BridgeTowerProcessor,
    PreTrainedModel,
)

import two_streams
from skiptune import (
    InputError,
    Plan,
    SkipConfig,
    blocks_of,
    choose,
    count_macs,
    count_parameters,
    export,
    insert,
    load,
    load_model,
    load_processor,
    parameter_groups,
    prune,
)
from skiptune.costs.example_inputs import example_inputs
from skiptune.families.bridgetower import BridgeTowerForImageAndTextRanking, BridgeTowerForQuestionAnswering
from skiptune.families.bridgetower.modeling import bridgetower_of
from skiptune.families.bridgetower.skipping import adopt, adopt_encoders
from skiptune.inserting.adapted_class import plain_class
from skiptune.models.loading import load_config
from two_streams import ANSWERS, BOTTLENECK, EVERYWHERE, NOISE, Batch, make_batch, run, same

make = partial(two_streams.make, "bridgetower")


@pytest.fixture(scope="module")
def batch() -> Batch:
    """Without labels."""
    return {name: value for name, value in make_batch().items() if name != "labels"}


def transformers_own(seed: int = 0, **changes: Any) -> BridgeTowerForImageAndTextRetrieval:
    """With weights as large as trained ones, so that everything depends on everything."""
    config = load_config("bridgetower-tiny")
    for name, value in changes.items():
        setattr(config, name, value)
    model = BridgeTowerForImageAndTextRetrieval(config).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" not in name.lower() and "ln_" not in name:
                weight.copy_(0.3 * torch.randn(weight.shape, generator=generator))
    return model


def adopted(model: PreTrainedModel) -> PreTrainedModel:
    ours = copy.deepcopy(model)
    adopt(ours)
    adopt_encoders(ours)
    return ours


def tensors(nested: Any) -> list[Tensor]:
    return [nested] if isinstance(nested, Tensor) else [tensor for entry in nested for tensor in tensors(entry)]


def assert_close(ours: Any, reference: Any) -> None:
    """The same shapes, and values to 1e-5 of the largest one."""
    for own, other in zip(tensors(ours), tensors(reference), strict=True):
        assert own.shape == other.shape
        assert float((own - other).abs().max() / other.abs().max()) <= 1e-5


# --- the same function as transformers' own


@pytest.mark.parametrize(
    "changes",
    [{}, {"share_cross_modal_transformer_layers": False}, {"link_tower_type": "interpolate"}],
    ids=["base", "a transform a layer", "interpolating bridges"],
)
@pytest.mark.parametrize("padded", [True, False], ids=["padded", "whole"])
@torch.no_grad()
def test_adopted_is_transformers_own(changes: dict[str, Any], padded: bool, batch: Batch) -> None:
    own = transformers_own(**changes)
    ours = adopted(own)
    given = batch if padded else {**batch, "attention_mask": None}
    reference = own(**given)
    found = ours(**given, output_hidden_states=True)
    assert_close(found.logits, reference.logits)
    assert_close(found.hidden_states, reference.hidden_states)
    assert len(tensors(found.hidden_states)) == 5 + 5 + 6
    weighed = ours(**given, output_attentions=True)
    assert_close(weighed.logits, reference.logits)
    assert_close(weighed.attentions, reference.attentions)
    assert found.attentions is None
    assert weighed.hidden_states is None


@torch.no_grad()
def test_other_inputs_that_transformers_takes(batch: Batch) -> None:
    own = transformers_own().bridgetower
    ours = adopted(own)
    text = {name: batch[name] for name in ("input_ids", "attention_mask")}
    for given in (
        {"pixel_values": torch.randn(3, 3, 32, 64), "interpolate_pos_encoding": True},
        {"image_embeds": torch.randn(3, 10, 64)},
    ):
        for name in ("text_features", "image_features", "pooler_output"):
            assert_close(ours(**text, **given)[name], own(**text, **given)[name])
    large = torch.randn(3, 3, 32, 64)
    with pytest.raises(ValueError, match="doesn't match model"):
        ours(**text, pixel_values=large, interpolate_pos_encoding=False)


def test_attention_weights_of_a_skipped_layer_are_refused(batch: Batch) -> None:
    model = insert(transformers_own(), EVERYWHERE)
    with torch.no_grad():
        assert len(tensors(model(**batch, output_attentions=True).attentions)) == 6
    for block in ("text.1", "image.2"):
        choose(model, [block])
        with pytest.raises(InputError, match="output_attentions=True: a skipped block has no attention weights"):
            model(**batch, output_attentions=True)
    choose(model, ["roberta.0"])
    text = bridgetower_of(model).text_model
    with pytest.raises(InputError, match="output_attentions=True: a skipped block has no attention weights"):
        text(batch["input_ids"], output_attentions=True)


def test_classes_stay_subclasses_and_keys_stay(batch: Batch) -> None:
    own = transformers_own()
    ours = insert(copy.deepcopy(own))
    assert plain_class(ours) is BridgeTowerForImageAndTextRetrieval
    assert isinstance(ours, BridgeTowerForImageAndTextRetrieval)
    assert isinstance(ours.bridgetower, BridgeTowerModel)
    assert list(own.state_dict()) == [name for name in ours.state_dict() if "adapter" not in name]
    assert all(torch.equal(ours.state_dict()[name], value) for name, value in own.state_dict().items())


def test_small_parts_are_poolers_bridges_and_token_types() -> None:
    parts = {f"cross_modal_{stream}_pooler.dense.{kind}" for stream in ("text", "image") for kind in ("weight", "bias")}
    parts |= {
        f"cross_modal_{stream}_link_tower.{number}.LayerNorm.{kind}"
        for stream in ("text", "image")
        for number in range(2)
        for kind in ("weight", "bias")
    }
    parts |= {"token_type_embeddings.weight"}
    named = {f"bridgetower.{name}" for name in parts}
    assert parameter_groups(make(BOTTLENECK))["small_parts"].keys() == named
    assert parameter_groups(make(BOTTLENECK, task="reasoning"))["small_parts"].keys() == named | {"second_image_type"}
    body = insert(BridgeTowerModel(load_config("bridgetower-tiny")))
    assert parameter_groups(body)["small_parts"].keys() == parts
    assert not parameter_groups(body)["head"]


# --- checkpoints


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What transformers saves: the body alone, and with the head for image-text matching."""
    own = transformers_own()
    found = {name: tmp_path_factory.mktemp(name) for name in ("body", "matching")}
    own.bridgetower.save_pretrained(found["body"])
    own.save_pretrained(found["matching"])
    return found


@pytest.mark.parametrize(
    ("task", "saved"),
    [
        ("vqa", "body"),
        ("reasoning", "body"),
        ("retrieval", "body"),
        ("retrieval", "matching"),
        ("entailment", "matching"),
    ],
)
def test_transformers_checkpoints_are_read(task: str, saved: str, folders: dict[str, Path], tmp_path: Path) -> None:
    model = load_model(str(folders[saved]), task)
    own = transformers_own().bridgetower.state_dict()
    read = bridgetower_of(model).state_dict()
    assert own.keys() == read.keys()
    assert all(torch.equal(read[name], value) for name, value in own.items())
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.5)
    model.save_pretrained(tmp_path)
    again, report = type(model).from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values())
    assert type(again) is type(model)
    assert again.state_dict().keys() == model.state_dict().keys()
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())


def test_second_image_starts_as_the_first(folders: dict[str, Path], batch: Batch) -> None:
    for model in (load_model(str(folders["body"]), "reasoning"), make(task="reasoning")):
        types = bridgetower_of(model).token_type_embeddings.weight
        assert torch.equal(model.second_image_type, types[1])
        assert types[1].any()


@torch.no_grad()
def test_rank_score_starts_as_the_match_output(folders: dict[str, Path], batch: Batch) -> None:
    ranking = load_model(str(folders["matching"]), "retrieval").eval()
    assert type(ranking) is BridgeTowerForImageAndTextRanking
    reference = transformers_own()(**batch).logits
    assert_close(ranking(**batch).logits[:, 0], reference[:, 1])
    fresh = BridgeTowerForImageAndTextRanking.from_pretrained(folders["body"], output_loading_info=True)[1]
    assert set(fresh["missing_keys"]) == {"rank_output.weight", "rank_output.bias"}


def test_the_matching_head_is_that_of_the_checkpoint(folders: dict[str, Path]) -> None:
    ranking = load_model(str(folders["matching"]), "retrieval", matching_loss=True)
    theirs = transformers_own().itm_score.fc
    assert torch.equal(ranking.matching.weight, theirs.weight)
    assert torch.equal(ranking.matching.bias, theirs.bias)
    assert not any(name.startswith("itm_score") for name in ranking.state_dict())
    with pytest.raises(InputError, match=r"has no matching\.bias, matching\.weight"):
        load_model(str(folders["body"]), "retrieval", matching_loss=True)


def test_slim_rank_and_reasoning_models(tmp_path: Path, batch: Batch) -> None:
    for task in ("retrieval", "reasoning"):
        model = make(BOTTLENECK, NOISE, task)
        pixels = batch["pixel_values"]
        given = {**batch, "pixel_values": torch.stack((pixels, pixels.flip(0)), 1) if task == "reasoning" else pixels}
        given["labels"] = torch.tensor([0, 0, 0])
        choose(model, ["image.1"])
        export(model, tmp_path / task)
        assert same(run(load(tmp_path / task), given), run(model, given))


def test_processor_round_trip(tmp_path: Path) -> None:
    """The shorter side is brought to 48 pixels and the middle cut out; RoBERTa's special tokens."""
    processor = load_processor("bridgetower-tiny")
    make().save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    image = Image.new("RGB", (60, 40), (0, 0, 0))
    image.paste((255, 0, 128), (10, 0, 50, 40))
    for each in (processor, load_processor(str(tmp_path))):
        assert isinstance(each, BridgeTowerProcessor)
        given = each(images=image, text="colour?", return_tensors="pt")
        assert given["pixel_values"].shape == (1, 3, 48, 48)
        mean = torch.tensor([0.48145466, 0.4578275, 0.40821073])
        spread = torch.tensor([0.26862954, 0.26130258, 0.27577711])
        colour = (torch.tensor([1.0, 0.0, 128 / 255]) - mean) / spread
        for column in (8, 24, 40):
            assert torch.allclose(given["pixel_values"][0, :, 20, column], colour, atol=1e-5)
        assert torch.allclose(given["pixel_values"][0, :, 20, 0], -mean / spread, atol=1e-5)
        assert given["input_ids"][0, [0, -1]].tolist() == [0, 2]
        assert make()(**given).logits.shape == (1, ANSWERS)


# --- costs


WIDTH, MLP, BLOCK_ADAPTER, SKIP_ADAPTER, LABELS, SIDE, TEXT = 768, 3072, 96, 288, 3129, 288, 50


def by_hand(skipped: tuple[int, int] = (0, 0), adapters: bool = True) -> float:
    """Multiply-accumulates of BridgeTower-base in G, from the shapes of the matrix products; ``skipped``: text, image.

    Beside METER's: a twelfth block of CLIP, and a projection of either stream for each of the six fusion layers.
    """
    patches = (SIDE // 16) ** 2
    tokens = {"text": TEXT, "image": 1 + patches}
    total = patches * 3 * 16**2 * WIDTH + 2 * WIDTH**2  # patch embedding, two poolers
    for number, stream in enumerate(("text", "image")):
        own, other = tokens[stream], tokens["image" if stream == "text" else "text"]
        encoder = own * (4 * WIDTH**2 + 2 * WIDTH * MLP) + 2 * own**2 * WIDTH
        fusion = own * (6 * WIDTH**2 + 2 * WIDTH * MLP) + other * 2 * WIDTH**2 + 2 * own * (own + other) * WIDTH
        fusion += adapters * 3 * own * 2 * WIDTH * BLOCK_ADAPTER
        gone = skipped[number]
        total += 12 * encoder + 6 * own * WIDTH**2
        total += (6 - gone) * fusion + gone * own * 2 * WIDTH * SKIP_ADAPTER
    return (total + (2 * WIDTH) ** 2 + 2 * WIDTH * LABELS) / 1e9


@pytest.fixture(scope="module")
def base() -> BridgeTowerForQuestionAnswering:
    """BridgeTower-base without memory for its weights: enough to count with."""
    with torch.device("meta"):
        return BridgeTowerForQuestionAnswering(BridgeTowerConfig(num_labels=LABELS))


def test_operations_by_hand(base: BridgeTowerForQuestionAnswering) -> None:
    """Transformers' own layers, with adapters, and a text and two image layers skipped."""
    inputs = example_inputs(base, (SIDE, SIDE), TEXT)
    assert count_macs(base, inputs) == pytest.approx(by_hand(adapters=False), rel=1e-6)
    adapted = insert(copy.deepcopy(base))
    assert count_macs(adapted, inputs) == pytest.approx(by_hand(), rel=1e-6)
    prune(adapted, Plan("bridgetower", tuple(blocks_of(adapted)), ("text.0", "image.0", "image.5")))
    assert count_macs(adapted, inputs) == pytest.approx(by_hand((1, 2)), rel=1e-6)


def test_parameters_to_the_last_one(base: BridgeTowerForQuestionAnswering) -> None:
    """Adapters as METER's; bridges are ten LayerNorms."""
    with torch.device("meta"):
        own = sum(weight.numel() for weight in BridgeTowerModel(base.config).parameters())
    counts = count_parameters(insert(copy.deepcopy(base), SkipConfig()))
    assert (counts["block_adapters"], counts["skip_adapters"]) == (5_394_816, 5_339_520)
    assert counts["small_parts"] == 2 * (WIDTH**2 + WIDTH) + 10 * 2 * WIDTH + 2 * WIDTH
    assert counts["head"] == 2 * WIDTH * (2 * WIDTH + 3) + 2 * WIDTH * LABELS + LABELS
    assert counts["body"] + counts["small_parts"] == own
    assert len(blocks_of(insert(copy.deepcopy(base), EVERYWHERE))) == 12 + 12 + 12
