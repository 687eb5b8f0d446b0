"""Pre-training on photographs: the convolutional stem, the weights to start from, resuming, and the model it leaves."""

from __future__ import annotations

import json
import string
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from transformers import BertConfig, BertModel, CLIPVisionModel

from skiptune.core.errors import InputError
from skiptune.families.meter import MeterConfig
from skiptune.families.meter.stem import MAPS, ConvolutionalStem, SameConvolution, Trunk, folded
from skiptune.models.loading import load_model, load_processor
from skiptune.pretraining.photos import initial_weights, word_pieces
from skiptune.pretraining.photos import pretrain_photos as run
from skiptune.pretraining.photos.heldout_scores import recall
from skiptune.pretraining.photos.photo_config import PhotoConfig
from skiptune.pretraining.photos.training_loop import rates
from skiptune.pretraining.photos.trunk_features import compute, normalized, view
from skiptune.pretraining.pretrain import pretrain
from skiptune.tasks.retrieval import Retrieval

PIECES = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *string.ascii_lowercase, *string.punctuation]
PIECES += [f"##{letter}" for letter in string.ascii_lowercase]
PIECES += ["zebra", "the", "dog", "cat", "runs", "red", "blue", "circle", "square", "##s", "grass", "playing", "cats"]
TINY = PhotoConfig(
    pieces=60,
    text_layers=2,
    trained_text_layers=1,
    image_size=64,
    image_layers=1,
    image_heads=2,
    width=24,
    fusion_layers=2,
    heads=2,
    mlp_width=24,
    views=3,
    scenes=6,
    scene_every=2,
    contrast_batch=4,
    batch_size=4,
    fused=3,
    minutes=0.01,
    contrast_share=0.3,
)


def bert() -> BertModel:
    sizes = {"hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 12, "intermediate_size": 32}
    return BertModel(BertConfig(vocab_size=len(PIECES), layer_norm_eps=1e-12, **sizes), add_pooling_layer=False).eval()


def lite0() -> dict[str, Tensor]:
    """Random weights by the names of the package, with normalizations that do something."""
    generator = torch.Generator().manual_seed(0)
    found: dict[str, Tensor] = {}

    def add(name: str, norm: str, layer: nn.Module) -> None:
        shape = layer.weight.shape
        found[f"{name}.weight"] = torch.randn(shape, generator=generator) * shape[1:].numel() ** -0.5
        for key, low in (("weight", 0.5), ("bias", -0.5), ("running_mean", -0.5), ("running_var", 0.5)):
            found[f"{norm}.{key}"] = low + torch.rand(shape[0], generator=generator)

    stem = ConvolutionalStem(8)
    add("_conv_stem", "_bn0", stem.trunk.first)
    for number, block in enumerate(stem.trunk.blocks):
        if block.expand is not None:
            add(f"_blocks.{number}._expand_conv", f"_blocks.{number}._bn0", block.expand)
        add(f"_blocks.{number}._depthwise_conv", f"_blocks.{number}._bn1", block.filter)
        add(f"_blocks.{number}._project_conv", f"_blocks.{number}._bn2", block.project)
    add("_conv_head", "_bn1", stem.head)
    return found


@pytest.fixture
def weights(monkeypatch: pytest.MonkeyPatch) -> BertModel:
    """The packages with the first weights, small."""
    text = bert()
    monkeypatch.setattr(run, "read_text_weights", lambda: (text.state_dict(), PIECES))
    monkeypatch.setattr(run, "read_image_weights", lite0)
    return text


@pytest.fixture
def photos(tmp_path: Path) -> dict[str, Path]:
    """Coloured pictures of any size with captions."""
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, count in (("train", 8), ("heldout", 5)):
        rows = []
        for number in range(count):
            size = (int(rng.integers(50, 90)), int(rng.integers(50, 90)))
            Image.new("RGB", size, tuple(rng.integers(0, 255, 3).tolist())).save(folder / f"{name}{number}.png")
            rows.append({"image": f"{name}{number}.png", "captions": [f"the {w} dog" for w in ("red", "blue")]})
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return {"photos": tmp_path / "train.jsonl", "heldout": tmp_path / "heldout.jsonl", "images": folder}


def train(photos: dict[str, Path], output: Path, config: PhotoConfig = TINY) -> dict[str, Any]:
    return run.pretrain_photos(config, output, photos["photos"], photos["images"], photos["heldout"])


def test_padding_is_tensorflows() -> None:
    # TensorFlow's "same" with stride 2 and kernel 3 pads an even side by one pixel, at its end
    layer = SameConvolution(1, 1, 3, 2)
    nn.init.constant_(layer.weight, 1.0)
    nn.init.zeros_(layer.bias)
    x = torch.arange(16.0).view(1, 1, 4, 4)
    assert layer(x)[0, 0].tolist() == [
        [0 + 1 + 2 + 4 + 5 + 6 + 8 + 9 + 10, 2 + 3 + 6 + 7 + 10 + 11],
        [8 + 9 + 10 + 12 + 13 + 14, 10 + 11 + 14 + 15],
    ]


def test_folded_normalization_does_the_same() -> None:
    convolution, norm = nn.Conv2d(3, 5, 3, bias=False), nn.BatchNorm2d(5, eps=1e-3).eval()
    with torch.no_grad():
        for part in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
            part.copy_(torch.rand(5) + 0.5)
    weight, bias = folded(convolution.weight, norm.state_dict())
    x = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(nn.functional.conv2d(x, weight, bias), norm(convolution(x)))


def test_maps_have_the_sizes_said() -> None:
    maps = Trunk()(torch.zeros(1, 3, 64, 96))
    assert [tuple(part.shape[1:]) for part in maps] == [(channels, 2 * k, 3 * k) for channels, k in MAPS]


def test_stem_wants_its_patches() -> None:
    with pytest.raises(InputError, match="patches of 32 pixels"):
        MeterConfig(vision_stem="efficientnet-lite0")
    with pytest.raises(InputError, match="vision_stem: 'efficientnet'"):
        MeterConfig(vision_stem="efficientnet")


def test_pretraining_sees_what_the_model_sees(weights: BertModel, tmp_path: Path) -> None:
    kept = list(range(len(PIECES)))
    model = run.make_model(TINY, weights.state_dict(), kept).eval()
    assert isinstance(model.meter.clip, CLIPVisionModel)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    features = compute(tmp_path / "f.npy", 1, lambda _: image, model.stem.trunk, 64, 2, seed=0)
    with torch.inference_mode():
        direct = model.meter.encode_image(normalized(view(image, 1, 64, (0, 0))[None]))
        cached = model.encode_image(features.take(np.array([0]), np.array([1]), torch.device("cpu")))
    assert float((direct - cached).norm() / direct.norm()) < 0.05  # the cache is computed in bfloat16
    ids = torch.tensor([[3, 60, 61, 4, 0]])
    mask = (ids > 0).long()
    whole = bert()
    whole.load_state_dict(weights.state_dict())
    whole.encoder.layer = whole.encoder.layer[:2]
    with torch.inference_mode():
        torch.testing.assert_close(
            model.meter.encode_text(ids, mask)[:, :4], whole(ids, attention_mask=mask).last_hidden_state[:, :4]
        )


def test_pieces_are_chosen_so_that_any_text_has_some() -> None:
    kept = word_pieces.choose_pieces(PIECES, ["dogs", "zebra"], 0)
    names = {PIECES[k] for k in kept}
    assert {"zebra", "dog", "##s", "q", "##q", "?"} <= names
    assert not names & {"cat", "playing", "[unused0]"}
    assert len(word_pieces.choose_pieces(PIECES, ["dogs"], len(kept) + 1)) == len(kept) + 1
    tokenizer = word_pieces.make_tokenizer(PIECES, kept, 40)
    assert (tokenizer.pad_token_id, tokenizer.cls_token_id, tokenizer.sep_token_id) == (0, 2, 3)
    assert tokenizer.tokenize("Cats playing?") == [
        "c",
        *(f"##{x}" for x in "ats"),
        "p",
        *(f"##{x}" for x in "laying"),
        "?",
    ]


def test_views_are_repeatable_and_differ() -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8))
    plain, mirrored, crop, other = (view(image, number, 64, (0, 1)) for number in range(4))
    np.testing.assert_array_equal(plain[:, ::-1], mirrored)
    np.testing.assert_array_equal(crop, view(image, 2, 64, (0, 1)))
    assert np.abs(crop.astype(int) - other).mean() > 1
    assert np.abs(crop.astype(int) - view(image, 2, 64, (0, 2))).mean() > 1


def test_learning_rates_follow_the_time() -> None:
    config = PhotoConfig(contrast_share=0.2, warmup=0.1)
    heights = [rates(config, done)["fusion"] / config.learning_rate for done in (0.0, 0.02, 0.199, 0.2, 0.28, 1.0)]
    assert heights == pytest.approx([0.01, 0.98, 0.3, 0.01, 0.976, 0.02], abs=0.02)
    assert rates(config, 0.5)["text"] < rates(config, 0.5)["image"] < rates(config, 0.5)["fusion"]


def test_recall_counts_owners() -> None:
    owner = np.repeat(np.arange(12), 2)
    scores = torch.eye(12).repeat_interleave(2, dim=1)
    assert recall(scores, owner) == {"text_recall@10": 1.0, "image_recall@10": 1.0}
    scores[3] = -scores[3]  # its own texts come last of 24; and of 12 pictures it comes last for them
    assert recall(scores, owner) == pytest.approx({"text_recall@10": 11 / 12, "image_recall@10": 11 / 12})


def test_a_model_for_every_task(weights: BertModel, photos: dict[str, Path], tmp_path: Path) -> None:
    report = train(photos, tmp_path / "out")
    assert report == json.loads((tmp_path / "out/final/pretraining.json").read_text())
    assert report["steps"] > 0
    assert report["captions"] == 16
    assert {"contrast", "heldout recall@10"} <= set(report["history"][-1])
    assert all(0 <= report[name] <= 1 for name in ("itm_accuracy", "mlm_accuracy", "fusion_text_recall@10"))
    final = str(tmp_path / "out/final")
    for task, labels in (("vqa", 3), ("reasoning", 2), ("entailment", 3)):
        load_model(final, task, num_labels=labels)
    model: Any = load_model(final, "retrieval", matching_loss=True).eval()
    difference = model.matching.weight[1] - model.matching.weight[0]
    torch.testing.assert_close(model.rank_output.weight[0], difference, rtol=0, atol=1e-3)
    assert float(difference.abs().sum()) > 0
    processor = load_processor(final)
    pixels = processor.image_processor([Image.new("RGB", (90, 50), (255, 0, 127))], return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(pixels[0, :, 0, 0], torch.tensor([1.0, -127 / 128, 0.0]))
    task = Retrieval(processor)
    ids = task.tokenize(["the red dog", "quux!"])
    assert tuple(model(**{k: v[None] for k, v in ids.items()}, pixel_values=pixels).logits.shape) == (1, 2)


def test_goes_on_after_an_interruption(weights: BertModel, photos: dict[str, Path], tmp_path: Path) -> None:
    output = tmp_path / "out"
    first = train(photos, output)
    before = (output / "features/photos.npy").stat().st_mtime_ns
    (output / "final/pretraining.json").unlink()
    state = json.loads((output / "checkpoint/state.json").read_text())
    assert state["step"] == first["steps"]
    with pytest.raises(
        InputError, match=r"checkpoint: begun with other settings \(seed 0, now 5\); name another output"
    ):
        train(photos, output, replace(TINY, seed=5))
    longer = replace(TINY, minutes=2 * TINY.minutes)
    again = train(photos, output, longer)
    assert again["steps"] > first["steps"]
    assert again["history"][0] == first["history"][0]
    assert (output / "features/photos.npy").stat().st_mtime_ns == before
    assert train(photos, output, longer) == again  # finished: only read
    for file in output.rglob("*"):
        assert file.suffix not in (".pt", ".bin", ".pkl")


def test_command_line_names_what_is_missing(tmp_path: Path) -> None:
    none = {"photos": None, "heldout": None, "images": None}
    with pytest.raises(InputError, match=r"(?s)--photos: missing.*--heldout: missing.*--images: missing"):
        pretrain("photos", tmp_path, 1.0, 0, none, [], 1.0)
    with pytest.raises(InputError, match="--recipe: 'photo'"):
        pretrain("photo", tmp_path, 1.0, 0, none, [], 1.0)
    with pytest.raises(InputError, match="add --recipe photos"):
        pretrain("scenes", tmp_path, 1.0, 0, {**none, "photos": tmp_path}, [], 1.0)


def test_first_weights_come_from_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(initial_weights, "package_folder", lambda name: None)
    for read in (initial_weights.read_text_weights, initial_weights.read_image_weights):
        with pytest.raises(InputError, match=r"skiptune\[pretraining\]"):
            read()
