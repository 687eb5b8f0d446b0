"""Retrieval: encoded once, ranked without keeping the scores, trained with the options of its section."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from conftest import draw_square
from skiptune import (
    Experiment,
    InputError,
    Record,
    Retrieval,
    SkipConfig,
    evaluate,
    fit,
    insert,
    load_model,
    load_processor,
)
from skiptune.config import TrainConfig
from skiptune.tasks import encoding, retrieval
from skiptune.tasks.ranking import Ranks

FAMILIES = ("vilt-tiny", "meter-tiny", "bridgetower-tiny")
#: A part that runs once an image, and one that runs once a batch of texts, where there are encoders.
ENCODERS = {
    "meter-tiny": ("meter.clip", "meter.roberta"),
    "bridgetower-tiny": (
        "bridgetower.vision_model.visual.transformer.resblocks.0",
        "bridgetower.text_model.encoder.layer.0",
    ),
    "vilt-tiny": ("vilt.embeddings.patch_embeddings", None),
}


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """Seven images, every fourth wider than high, with one to three captions of different length."""
    folder = tmp_path_factory.mktemp("captions")
    found = []
    for k in range(7):
        colour = draw_square(folder / f"{k}.png", k)
        captions = tuple(f"a {colour} square" + ", again" * n + f" {k}" for n in range(1 + k % 3))
        found.append(Record(folder / f"{k}.png", captions=captions))
    return found


def make(family: str, records: list[Record], scope: str = "fusion", **options: Any) -> tuple[Retrieval, Any]:
    """A model all of whose trained parts do something."""
    task = Retrieval.from_records(load_processor(family), records, **options)
    model = insert(load_model(family, task.model_class, **task.model_changes()), SkipConfig(scope=scope))
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight += 0.1 * torch.randn(weight.shape, generator=generator)
    return task, model.eval()


@torch.inference_mode()
def plain_scores(task: Retrieval, model: nn.Module, records: list[Record], batch_size: int) -> np.ndarray:
    """Scores ``(images, texts)``, each pair through the whole model, texts batched as an evaluation does."""
    texts = sorted((len(text), row, text) for row, record in enumerate(records) for text in record.captions)
    rows = []
    for record in records:
        scores = []
        for start in range(0, len(texts), batch_size):
            batch = task.tokenize([text for *_, text in texts[start : start + batch_size]])
            given = {**{name: value[None] for name, value in batch.items()}, **task.images.batch([record.image])}
            scores.append(model(**given).logits[0].double().numpy())
        rows.append(np.concatenate(scores))
    return np.stack(rows)


@pytest.mark.parametrize("kept", [2**30, 1], ids=["together", "in parts"])
@pytest.mark.parametrize(
    ("family", "scope"), [*((family, "fusion") for family in FAMILIES), *((f, "global") for f in FAMILIES[1:])]
)
def test_scores_are_those_of_the_whole_model(
    family: str, scope: str, kept: int, records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit; with little memory for encoded texts, images are encoded again for every batch of them."""
    monkeypatch.setattr(encoding, "_KEPT", kept)
    task, model = make(family, records, scope)
    calls = {name: 0 for name in ENCODERS[family] if name}

    def count(name: str) -> None:
        calls[name] += 1

    expected = plain_scores(task, model, records, batch_size=5)
    for name in calls:
        model.get_submodule(name).register_forward_hook(lambda *given, name=name: count(name))
    found = np.full_like(expected, np.nan)
    texts = [text for *_, text in sorted((len(t), row, t) for row, r in enumerate(records) for t in r.captions)]
    with torch.inference_mode():
        batches = encoding.encoded_texts(task, model, texts, 5)
        for row, place, scores in task._all_scores(model, records, batches, "pairs"):
            found[row, place] = scores
    assert np.array_equal(found, expected)
    assert len(np.unique(found)) > len(records)
    parts = 3  # 13 texts, five at a time
    image, text = ENCODERS[family]
    assert calls[image] == len(records) * (parts if kept == 1 else 1)
    assert text is None or calls[text] == parts


def compare_encoders(records: list[Record], shortlist: int | None = None) -> tuple[Retrieval, Any]:
    """A model that adds the encoders' cosines to what the fusion says."""
    task = Retrieval(load_processor("meter-tiny"), records, shortlist=shortlist)
    model = load_model("meter-tiny", task.model_class, contrast_scale=5.0)
    with torch.no_grad():  # a first head says next to nothing
        model.rank_output.weight.normal_(generator=torch.Generator().manual_seed(1))
    return task, model.eval()


@torch.inference_mode()
def cosines(task: Retrieval, model: Any, records: list[Record], texts: list[str]) -> np.ndarray:
    """``(images, texts)``, one by one, by hand."""

    def unit(x: torch.Tensor) -> torch.Tensor:
        return x / x.norm()

    body = model.meter
    of_texts = [unit(body.text_projection(body.encode_text(**task.tokenize([text]))[0].mean(0))) for text in texts]
    pictures = [task.images.batch([record.image])["pixel_values"] for record in records]
    of_images = [unit(body.image_projection(body.encode_image(pixels)[0].mean(0))) for pixels in pictures]
    return (torch.stack(of_images) @ torch.stack(of_texts).T).numpy()


def test_cosines_of_the_encoders_join_the_scores(records: list[Record]) -> None:
    task, model = compare_encoders(records)
    texts = [text for *_, text in sorted((len(t), row, t) for row, r in enumerate(records) for t in r.captions)]
    together = plain_scores(task, model, records, 5)
    model.config.contrast_scale = None
    assert not retrieval.comparable(model)
    expected = plain_scores(task, model, records, 5) + 5.0 * cosines(task, model, records, texts)
    np.testing.assert_allclose(together, expected, atol=1e-5)
    model.config.contrast_scale = 5.0
    batch = task.collate(records[:3])  # 15 texts an image at once
    encoded = model.encode_texts(batch["input_ids"].flatten(0, 1), batch["attention_mask"].flatten(0, 1))
    with torch.inference_mode():
        scores = model.score(encoded, model.encode_images(batch["pixel_values"]))
        assert torch.equal(scores, model(**batch).logits)


@pytest.mark.parametrize("count", [2, 4, 13])
def test_a_shortlist_ranks_the_nearest_alone(count: int, records: list[Record]) -> None:
    """Against the whole matrices; with everything on the list, against an evaluation of all pairs."""
    task, model = compare_encoders(records)
    sorted_texts = sorted((len(t), row, t) for row, r in enumerate(records) for t in r.captions)
    texts, owner = [text for *_, text in sorted_texts], np.array([row for _, row, _ in sorted_texts])
    scores, near = plain_scores(task, model, records, 5), cosines(task, model, records, texts)
    own = owner == np.arange(len(records))[:, None]
    expected, best = [], None
    for scored, close, mine in ((scores, near, own), (scores.T, near.T, own.T)):
        listed = np.zeros_like(mine)
        np.put_along_axis(listed, np.argsort(-close, axis=1)[:, :count], True, axis=1)
        seen = np.where(listed, scored, -np.inf)
        ahead = (np.where(mine, -np.inf, seen) >= np.where(mine, seen, -np.inf).max(1)[:, None]).sum(1)
        found = (mine & listed).any(1)
        assert count == 13 or not found.all()
        expected += [float((found & (ahead < rank)).mean()) for rank in (1, 5, 10)]
        best = seen.argmax(1) if best is None else best
    task.shortlist = count
    result = evaluate(model, task, records, batch_size=5)
    assert list(result.metrics.values())[1:] == pytest.approx(expected)
    assert result.predictions == tuple(texts[k] for k in best)
    if count == 13:
        task.shortlist = None
        assert evaluate(model, task, records, batch_size=5).metrics == result.metrics


def test_models_whose_encoders_cannot_be_compared_rank_all_pairs(records: list[Record]) -> None:
    task, model = make("meter-tiny", records, shortlist=10)
    every, _ = make("meter-tiny", records, shortlist=None)
    assert evaluate(model, task, records).metrics == evaluate(model, every, records).metrics


def test_ranks_from_scores_in_any_order() -> None:
    """Against the whole matrix, which is never there: rounded scores, so that there are ties."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(30, 40)).round(1)
    scores[3, 5] = np.nan
    own = rng.random((30, 40)) < 0.05
    own[np.arange(30), np.arange(30)] = True
    ranks = Ranks(30, most=10)
    for start in rng.permutation(np.arange(0, 40, 7)):
        for rows in (slice(20, 30), slice(0, 20)):
            ranks.add(rows, scores[rows, start : start + 7], own[rows, start : start + 7])
    best = np.where(own, scores, -np.inf).max(axis=1)
    expected = np.array([(~(scores[row, ~own[row]] < best[row])).sum() for row in range(30)])
    assert np.array_equal(ranks.ahead(), expected.clip(max=10))
    assert len(set(ranks.ahead())) > 3


def test_a_score_that_is_no_number_is_not_found() -> None:
    ranks = Ranks(1, most=2)
    ranks.add(slice(0, 1), np.array([[np.nan, 1.0, 0.0]]), np.array([[True, False, False]]))
    assert ranks.ahead().tolist() == [2]


@pytest.mark.parametrize("family", FAMILIES[1:])
def test_matching_loss_is_that_of_the_pre_trained_head(family: str, records: list[Record]) -> None:
    """Each image with its true text and with the next one; the head itself is not trained."""
    task, model = make(family, records, false_texts=3, matching_loss=True)
    with torch.no_grad():
        model.matching.weight.normal_(generator=torch.Generator().manual_seed(0))
        model.matching.bias.copy_(torch.tensor([0.3, -0.2]))
    batch = task.collate(records[:4])
    assert batch["input_ids"].shape[:2] == (4, 4)
    pooled = []
    hook = model.rank_output.register_forward_pre_hook(lambda module, given: pooled.append(given[0]))
    output = model(**batch)
    hook.remove()
    texts = pooled[0].view(4, 4, -1)
    logits = torch.stack([texts[:, 0], texts[:, 1]], 1) @ model.matching.weight.T + model.matching.bias
    matching = -torch.log_softmax(logits, -1)[:, [0, 1], [1, 0]].mean()
    plain = nn.functional.cross_entropy(output.logits, batch["labels"])
    torch.testing.assert_close(output.loss, plain + matching)
    model.config.matching_loss, head, model.matching = False, model.matching, None
    torch.testing.assert_close(model(**batch).loss, plain)
    model.matching = head
    before = head.weight.clone()
    fit(model, Experiment(task, records, training=TrainConfig(max_steps=2, batch_size=4, learning_rate=1e-2)))
    assert torch.equal(head.weight, before)
    assert np.isfinite(evaluate(model, task, records).loss)


def test_matching_needs_a_head(records: list[Record], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="vilt's ranking model has no head for image-text matching"):
        Retrieval(load_processor("vilt-tiny"), records, matching_loss=True)
    task = Retrieval(load_processor("meter-tiny"), records, matching_loss=True)
    load_model("meter-tiny", "vqa", num_labels=2).save_pretrained(tmp_path / "none")
    with pytest.raises(InputError, match=r"has no matching\.bias, matching\.weight: no head for image-text matching"):
        load_model(str(tmp_path / "none"), task.model_class, **task.model_changes())


@pytest.mark.parametrize("family", FAMILIES[1:])
def test_a_matching_head_comes_from_the_checkpoint(family: str, records: list[Record], tmp_path: Path) -> None:
    task = Retrieval(load_processor(family), records, matching_loss=True)
    model = load_model(family, task.model_class, **task.model_changes())
    model.matching.weight.normal_(generator=torch.Generator().manual_seed(0))
    model.save_pretrained(tmp_path / "ranking")
    again = load_model(str(tmp_path / "ranking"), task.model_class, **task.model_changes())
    assert torch.equal(again.matching.weight, model.matching.weight)
    task.matching_loss = False
    assert load_model(str(tmp_path / "ranking"), task.model_class, **task.model_changes()).matching is None
