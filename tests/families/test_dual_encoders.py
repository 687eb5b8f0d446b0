"""CLIP and SigLIP: transformers' outputs, the contrastive losses, retrieval by vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import cross_entropy, logsigmoid
from transformers import CLIPModel, PreTrainedModel, SiglipModel

from conftest import draw_square
from skiptune import (
    InputError,
    Record,
    Retrieval,
    SkipConfig,
    Vqa,
    blocks_of,
    choose,
    evaluate,
    export,
    export_onnx,
    insert,
    load_model,
    load_onnx,
    load_processor,
    parameter_groups,
    predict,
    rank,
)

ORIGINALS = {"clip": CLIPModel, "siglip": SiglipModel}
FAMILIES = tuple(ORIGINALS)
TEXT, IMAGE = tuple(f"text.{n}" for n in range(3)), tuple(f"image.{n}" for n in range(4))


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """Seven pictures with two captions each."""
    folder = tmp_path_factory.mktemp("pairs")
    for number in range(7):
        draw_square(folder / f"{number}.png", number)
    return [Record(folder / f"{n}.png", captions=(f"square {n}", f"number {n}, a long one")) for n in range(7)]


def made(family: str, records: list[Record]) -> tuple[Retrieval, PreTrainedModel]:
    task = Retrieval.from_records(load_processor(f"{family}-tiny"), records)
    return task, load_model(f"{family}-tiny", task.model_class, **task.model_changes()).eval()


def original(family: str, model: PreTrainedModel) -> Any:
    """transformers' own model with the same weights, which have the same names."""
    found = ORIGINALS[family](model.config)
    found.load_state_dict(model.state_dict(), strict=True)
    return found.eval()


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_outputs_are_those_of_transformers(family: str, records: list[Record]) -> None:
    task, model = made(family, records)
    batch = task.collate(records)
    labels, inputs = batch.pop("labels"), batch
    theirs = original(family, model).requires_grad_(False)(**inputs, return_loss=True)
    insert(model)
    assert tuple(blocks_of(model)) == (*TEXT, *IMAGE)
    ours = model(**inputs, labels=labels)
    assert torch.equal(ours.logits, theirs.logits_per_image)
    assert torch.equal(ours.text_embeds, theirs.text_embeds)
    assert torch.equal(ours.image_embeds, theirs.image_embeds)
    assert float(ours.loss) == pytest.approx(float(theirs.loss), rel=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_pairs_of_one_image_or_of_one_text_are_no_false_partners(family: str, records: list[Record]) -> None:
    task, model = made(family, records)
    twice = [records[0], records[1], records[0], Record(records[2].image, captions=records[1].captions)]
    batch = task.collate(twice)
    assert batch["labels"].tolist() == [0, 1, 0, 2]
    assert torch.equal(batch["input_ids"][1], batch["input_ids"][3])
    out = model(**batch)
    false = [[1, 3], [0, 2], [1, 3], [0, 2]]
    assert float(out.loss) == pytest.approx(by_hand(family, out.logits, false), rel=1e-5)
    with pytest.raises(InputError, match="labels: 4 for 4 texts and 3 images"):
        model(**{**batch, "pixel_values": batch["pixel_values"][:3]})


def by_hand(family: str, logits: Tensor, false: list[list[int]]) -> float:
    """The loss, pair by pair; ``false`` has the false partners of each, the same for texts and images."""
    losses = []
    for row, others in enumerate(false):
        if family == "siglip":
            losses.append(-float(logsigmoid(logits[row, row]) + logsigmoid(-logits[row, others]).sum()))
            continue
        for scores in (logits[row], logits[:, row]):
            losses.append(float(cross_entropy(scores[[row, *others]], torch.tensor(0))))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("family", FAMILIES)
def test_recall_and_loss_come_from_vectors_of_single_passes(
    family: str, records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    task, model = made(family, records)
    encoded: dict[str, int] = {"encode_texts": 0, "encode_images": 0}
    for name in encoded:
        method = getattr(model, name)

        def counted(*given: Any, method: Any = method, name: str = name, **named: Any) -> Any:
            out = method(*given, **named)
            encoded[name] += len(out[0])
            return out

        monkeypatch.setattr(model, name, counted)
    found = evaluate(model, task, records, batch_size=4)
    assert encoded == {"encode_texts": 14, "encode_images": 7}
    with torch.no_grad():
        losses = [float(model(**task.collate(part)).loss) * len(part) for part in (records[:4], records[4:])]
        texts = [caption for record in records for caption in record.captions]
        logits = model(**task.tokenize(texts), **task.images.of(records)).logits.numpy()
    assert found.loss == pytest.approx(sum(losses) / 7, rel=1e-5)
    owner = np.repeat(np.arange(7), 2)
    best = [owner[row.argmax()] == number for number, row in enumerate(logits)]
    assert found.metrics["text_recall@1"] == pytest.approx(np.mean(best))
    assert found.metrics["image_recall@1"] == pytest.approx(np.mean(logits.argmax(0) == owner))
    assert found.predictions == tuple(texts[row.argmax()] for row in logits)


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_several_texts_for_an_image_are_compared_with_it_alone(family: str, records: list[Record]) -> None:
    task, model = made(family, records)
    texts = task.tokenize([caption for record in records[:3] for caption in record.captions])
    pixels = task.images.of(records[:3])
    three = {name: value.view(3, 2, -1) for name, value in texts.items()}
    out, flat = model(**three, **pixels, labels=torch.tensor([0, 1, 0])), model(**texts, **pixels).logits
    expected = torch.stack([flat[row, 2 * row : 2 * row + 2] for row in range(3)])
    torch.testing.assert_close(out.logits, expected)
    assert float(out.loss) == pytest.approx(float(cross_entropy(expected, torch.tensor([0, 1, 0]))), rel=1e-5)
    scores = model.score(model.encode_texts(**texts), model.encode_images(**pixels))
    torch.testing.assert_close(scores, expected)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_trained(family: str) -> None:
    model = insert(load_model(f"{family}-tiny", "vqa", num_labels=3), SkipConfig(block_adapter="lora", lora_rank=2))
    small = {name.rpartition(".weight")[0] or name for name in parameter_groups(model)["small_parts"]}
    if family == "clip":
        assert small == {"text_projection", "visual_projection", "logit_scale"}
    else:
        assert {"text_model.head", "vision_model.head.probe", "logit_scale", "logit_bias"} < small
    assert all(name.startswith("classifier.") for name in parameter_groups(model)["head"])
    with pytest.raises(InputError, match="'global' also skips the layers of encoders below the fusion"):
        insert(load_model(f"{family}-tiny", "vqa"), SkipConfig(scope="global"))
    choose(model, ("text.0",))
    model.vision_model(torch.zeros(1, 3, 48, 48), output_attentions=True)  # only the text tower skips
    with pytest.raises(InputError, match="a skipped block has no attention weights"):
        model.text_model(torch.tensor([[5, 6]]), output_attentions=True)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_directory_of_transformers_is_a_base(family: str, records: list[Record], tmp_path: Path) -> None:
    task, model = made(family, records)
    original(family, model).save_pretrained(tmp_path)
    task.processor.save_pretrained(tmp_path)
    questions = [Record(records[0].image, "what?", {"red": 1.0}), Record(records[1].image, "which?", {"blue": 1.0})]
    asking = Vqa.from_records(load_processor(str(tmp_path)), questions)
    loaded = load_model(str(tmp_path), asking.model_class, **asking.model_changes())
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)
    assert evaluate(loaded, asking, questions).count == 2
    picture = asking.images.pixels(Image.new("RGB", (64, 48)))
    assert tuple(picture.shape) == (3, 48, 48)


@pytest.mark.slow
def test_an_onnx_model_is_measured_and_answers_as_the_torch_model(records: list[Record], tmp_path: Path) -> None:
    task, model = made("clip", records)
    insert(model, SkipConfig(block_adapter="none"))
    choose(model, ("text.1", "image.2"))
    folder = export(model, tmp_path / "slim", task=task)
    onnx = load_onnx(export_onnx(folder, tmp_path / "onnx"))
    ours, theirs = (evaluate(one, task, records, batch_size=4) for one in (model, onnx))
    assert theirs.loss == pytest.approx(ours.loss, rel=1e-4)
    assert theirs.metrics == ours.metrics
    pictures, texts = [str(record.image) for record in records[:2]], [record.captions[0] for record in records[:2]]
    scores = [[answer[0].score for answer in predict(one, task, pictures, texts)] for one in (model, onnx)]
    assert scores[1] == pytest.approx(scores[0], rel=1e-4)
    ranked = [[one.index for one in rank(each, task, pictures[0], list(records[0].captions))] for each in (model, onnx)]
    assert ranked[0] == ranked[1]


def test_siglip_fills_texts_up_and_reads_the_filling(records: list[Record]) -> None:
    task, _ = made("siglip", records)
    found = task.tokenize(["a", "a longer text, which is cut at twenty tokens"])
    assert {tuple(value.shape) for value in found.values()} == {(2, 20)}
    assert bool(found["attention_mask"].all())
    assert task.processor.tokenizer.pad_token_id in found["input_ids"][0]
