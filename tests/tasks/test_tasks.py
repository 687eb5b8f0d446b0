"""Every task with every family: trained, searched, evaluated, exported and read back; measures against brute force."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from conftest import COLOURS, draw_square
from every_task import WITH_HEADS
from skiptune import (
    Budget,
    Entailment,
    Experiment,
    InputError,
    Reasoning,
    Record,
    Retrieval,
    SearchConfig,
    SkipConfig,
    TrainConfig,
    Vqa,
    blocks_of,
    choose,
    evaluate,
    export,
    fit,
    insert,
    load,
    load_model,
    load_processor,
    load_task,
    predict,
    search,
)
from skiptune.costs.example_inputs import example_inputs
from skiptune.costs.macs import count_macs
from skiptune.tasks.registry import TASKS
from skiptune.tasks.task import Task

FAMILIES = ("vilt-tiny", "meter-tiny", "bridgetower-tiny")
TRAIN = TrainConfig(max_steps=2, batch_size=4, learning_rate=1e-3)


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, str]]:
    """Twelve images with their colours."""
    folder = tmp_path_factory.mktemp("task-squares")
    return [(folder / f"{k}.png", draw_square(folder / f"{k}.png", k)) for k in range(12)]


def records_of(task: str, squares: list[tuple[Path, str]]) -> list[Record]:
    """A record an image, of a kind that the task is about."""
    if task == "vqa":
        return [Record(path, "which colour?", {colour: 1.0}) for path, colour in squares]
    if task == "entailment":
        return [Record(path, f"it is {colour}", label=k % 3) for k, (path, colour) in enumerate(squares)]
    if task == "reasoning":
        others = [*squares[1:], squares[0]]
        return [
            Record(path, "both are the same", image2=other, label=int(colour == second))
            for (path, colour), (other, second) in zip(squares, others, strict=True)
        ]
    if task == "classification":
        return [Record(path, label=colour) for path, colour in squares]
    if task == "regression":
        return [Record(path, value=100.0 * k) for k, (path, colour) in enumerate(squares)]
    return [Record(path, captions=(f"a {colour} square", f"it is {colour}")) for path, colour in squares]


def make(task: str, family: str, records: list[Record]) -> tuple[Task, Any]:
    made = TASKS[task].from_records(load_processor(family), records)
    model = load_model(family, made.model_class, **made.model_changes())
    return made, insert(model, SkipConfig()).eval()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("task", WITH_HEADS)
def test_every_task_with_every_family(task: str, family: str, squares: list[tuple[Path, str]], tmp_path: Path) -> None:
    records = records_of(task, squares)
    # pairs share images with their neighbours, so the parts must not touch
    train, valid = records[:8], records[9:11]
    made, model = make(task, family, train)
    made.check(records)
    config = SearchConfig(max_steps=4, interval=2)
    experiment = Experiment(made, train, valid, Budget(num_skip=1), config, TRAIN)
    plan = search(model, experiment)
    assert len(plan.skipped) == 1
    assert repr(made).startswith(f"{type(made).__name__}(")
    assert made.metric in repr(made)
    assert "8 training records, 2 held out" in repr(experiment)
    before = {name: value.clone() for name, value in model.named_parameters() if value.requires_grad}
    fit(model, experiment, plan)
    assert any(not torch.equal(before[name], value) for name, value in model.named_parameters() if name in before)
    found = evaluate(model, made, valid, batch_size=3)
    assert found.count == len(valid) == len(found.predictions)
    assert 0 <= found.headline <= 1
    assert np.isfinite(found.loss)
    slim = load(export(model, tmp_path / "slim", plan, made))
    again = load_task(tmp_path / "slim", slim)
    assert type(again) is type(made)
    model.eval()
    batch = made.collate(train[:2])
    with torch.inference_mode():
        torch.testing.assert_close(slim(**batch).logits, model(**batch).logits, rtol=0, atol=0)
    assert evaluate(slim, again, valid, batch_size=3).metrics == found.metrics
    second = {"image2": squares[1][0]} if task == "reasoning" else {}
    assert predict(slim, again, squares[0][0], "it is red", **second)[0]["answer"]


@pytest.mark.parametrize("family", FAMILIES)
def test_pairs_cost_two_passes(family: str, squares: list[tuple[Path, str]]) -> None:
    costs = []
    for task in ("reasoning", "entailment"):
        _, model = make(task, family, records_of(task, squares))
        costs.append(count_macs(model, example_inputs(model, (48, 48), 10)))
    assert costs[0] == pytest.approx(2 * costs[1], rel=0.05)


def test_statements_about_one_image(squares: list[tuple[Path, str]]) -> None:
    records = [Record(path, "it is red", label=int(colour == "red")) for path, colour in squares]
    task, model = make("reasoning", "meter-tiny", records)
    found = evaluate(model, task, records)
    assert task.head == "entailment"
    right = [float((said == "true") == record.label) for said, record in zip(found.predictions, records, strict=True)]
    assert found.metrics["accuracy"] == pytest.approx(sum(right) / 12)
    assert found.metrics["consistency"] == float(all(right))  # one statement for all images


def test_consistency_counts_statements(squares: list[tuple[Path, str]]) -> None:
    task = Reasoning(load_processor("vilt-tiny"), 1)
    texts = ("a", "a", "b", "b", "c", "d")
    records = [Record(squares[k][0], text, label=1) for k, text in enumerate(texts)]
    metrics = task.metrics(records, [1.0, 1.0, 1.0, 0.0, 0.0, 1.0])
    assert metrics == {"accuracy": 4 / 6, "consistency": 2 / 4}


def test_consistency_goes_by_published_identifiers(squares: list[tuple[Path, str]]) -> None:
    """The official scripts: NLVR2 drops the third part, the pair; NLVR takes the set, whatever sample and drawing."""
    path, scores = squares[0][0], [1.0, 1.0, 0.0, 1.0]
    names = ("dev-0-0-0", "dev-0-1-0", "dev-0-0-1", "test1-0-0-0")
    pairs = [Record(path, "the same words", image2=path, label=1, id=name) for name in names]
    assert Reasoning(load_processor("vilt-tiny")).metrics(pairs, scores)["consistency"] == 2 / 3
    drawings = [Record(path, f"words {k}", label=1, id=name) for k, name in enumerate(names)]
    assert Reasoning(load_processor("vilt-tiny"), 1).metrics(drawings, scores)["consistency"] == 1 / 2


@pytest.mark.parametrize("family", FAMILIES)
def test_recall_is_what_brute_force_finds(family: str, squares: list[tuple[Path, str]]) -> None:
    records = [
        Record(path, captions=tuple(f"a {colour} square, number {k} of {n}" for n in range(1 + k % 3)))
        for k, (path, colour) in enumerate(squares)
    ]
    task, model = make("retrieval", family, records)
    with torch.no_grad():
        model.rank_output.weight.normal_(std=0.5, generator=torch.Generator().manual_seed(3))
    found = evaluate(model, task, records, batch_size=5)
    texts = [(row, text) for row, record in enumerate(records) for text in record.captions]
    scores = np.zeros((len(records), len(texts)))
    with torch.inference_mode():
        for row, record in enumerate(records):
            for column, (_, text) in enumerate(texts):
                batch = {**task.tokenize([text]), **task.images.batch([record.image])}
                scores[row, column] = float(model(**batch).logits)
    owner = np.array([row for row, _ in texts])
    for rank in (1, 5, 10):
        best = np.argsort(-scores, axis=1)[:, :rank]
        text_recall = np.mean([any(owner[k] == row for k in best[row]) for row in range(len(records))])
        nearest = np.argsort(-scores, axis=0)[:rank]
        image_recall = np.mean([owner[k] in nearest[:, k] for k in range(len(texts))])
        assert found.metrics[f"text_recall@{rank}"] == pytest.approx(text_recall)
        assert found.metrics[f"image_recall@{rank}"] == pytest.approx(image_recall)
    assert found.metrics["mean_recall"] == pytest.approx(np.mean(list(found.metrics.values())[1:]))


def test_ties_do_not_count_as_found(squares: list[tuple[Path, str]]) -> None:
    records = records_of("retrieval", squares)
    task, model = make("retrieval", "vilt-tiny", records)
    with torch.no_grad():
        model.rank_output.weight.zero_()
    assert evaluate(model, task, records).metrics["text_recall@1"] == 0


def test_false_texts_are_of_other_images_and_repeatable(squares: list[tuple[Path, str]]) -> None:
    records = [Record(path, captions=(f"caption {k}",)) for k, (path, _) in enumerate(squares)]
    task = Retrieval(load_processor("vilt-tiny"), records, false_texts=4)
    batches = [task.collate(records[:3]) for _ in range(2)]
    assert torch.equal(batches[0]["input_ids"], batches[1]["input_ids"])
    assert not torch.equal(batches[0]["input_ids"], task.collate(records[3:6])["input_ids"])
    assert batches[0]["input_ids"].shape[:2] == (3, 5)
    for row in batches[0]["input_ids"]:
        assert all(not torch.equal(row[0], other) for other in row[1:])
    with pytest.raises(InputError, match="captions of other images"):
        Retrieval(load_processor("vilt-tiny"), records[:1]).collate(records[:1])


def test_records_of_another_task_are_refused(squares: list[tuple[Path, str]]) -> None:
    for task, kind in (("vqa", "retrieval"), ("reasoning", "vqa"), ("entailment", "vqa"), ("retrieval", "vqa")):
        with pytest.raises(InputError, match=f"task '{task}' needs records with"):
            TASKS[task].check(records_of(kind, squares))


def test_second_image_gets_a_token_type(tmp_path: Path, squares: list[tuple[Path, str]]) -> None:
    base = load_model("vilt-tiny", Vqa(load_processor("vilt-tiny"), ("a", "b")).model_class, num_labels=2)
    base.save_pretrained(tmp_path / "base")
    task = Reasoning(load_processor("vilt-tiny"))
    model = load_model(str(tmp_path / "base"), task.model_class, **task.model_changes())
    table = model.vilt.embeddings.token_type_embeddings.weight
    assert torch.equal(table[:2], base.vilt.embeddings.token_type_embeddings.weight)
    assert torch.equal(table[2], table[1])
    assert model.config.modality_type_vocab_size == 3


@pytest.mark.parametrize("family", FAMILIES)
def test_attention_dropout_recomputed_is_the_same(family: str, squares: list[tuple[Path, str]], monkeypatch) -> None:
    """What saves memory in training on a CPU changes no gradient."""
    from skiptune.families import attention

    records = records_of("vqa", squares)
    task = Vqa.from_records(load_processor(family), records)
    dropout = {"attention_probs_dropout_prob": 0.3} if family == "vilt-tiny" else {}
    gradients = []
    for again in (True, False):
        if not again:
            monkeypatch.setattr(attention, "checkpoint", lambda core, *inputs, use_reentrant: core(*inputs))
        model = load_model(family, task.model_class, **task.model_changes(), **dropout)
        insert(model, SkipConfig(init="paper")).train()
        torch.manual_seed(0)
        model(**task.collate(records[:3])).loss.backward()
        gradients.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], rtol=0, atol=0)


def test_entailment_names_its_classes(squares: list[tuple[Path, str]]) -> None:
    records = records_of("entailment", squares)
    task, model = make("entailment", "bridgetower-tiny", records)
    assert isinstance(task, Entailment)
    assert set(evaluate(model, task, records).predictions) <= {"contradiction", "neutral", "entailment"}
    choose(model, list(blocks_of(model))[:1])
    answers = predict(model, task, squares[0][0], "it is red")
    assert sum(entry["probability"] for entry in answers) == pytest.approx(1)


@pytest.mark.slow
def test_captions_and_pairs_through_the_command_line(tmp_path: Path) -> None:
    """A retrieval and a reasoning run from JSON lines, ending with evaluation by another command."""
    from command_line import skiptune

    (tmp_path / "images").mkdir()
    names = list(COLOURS)
    rows: dict[str, list[dict[str, Any]]] = {"retrieval": [], "reasoning": []}
    for k in range(12):
        colour = draw_square(tmp_path / "images" / f"{k}.png", k)
        Image.new("RGB", (48, 48 + k), COLOURS[names[k % 4]]).save(tmp_path / "images" / f"plain{k}.png")
        rows["retrieval"].append({"image": f"{k}.png", "captions": [f"a {colour} square", colour]})
        pair = {"image": f"{k}.png", "image2": f"plain{k}.png", "sentence": "both are red", "label": k % 2 == 0}
        rows["reasoning"].append(pair)
    for task, found in rows.items():
        file = tmp_path / f"{task}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in found))
        recipe = tmp_path / f"{task}.yaml"
        recipe.write_text(
            f"output: {tmp_path / task}\nmodel: meter-tiny\ntask: {task}\n"
            f"data: {{name: jsonl, train: {task}.jsonl, images: images, validation_share: 0.25}}\n"
            "baselines: []\nbudget: {num_skip: 2}\nsearch: {max_steps: 6, interval: 2}\n"
            "train: {max_steps: 10, batch_size: 4}\nbench: {batch_sizes: [1], repeats: 2}\n"
        )
        done = skiptune("run", str(recipe))
        assert done.returncode == 0, done.stderr
        options = ("--data", str(file), "--images", str(tmp_path / "images"), "--json")
        found_again = json.loads(skiptune("evaluate", str(tmp_path / task), *options).stdout)
        assert found_again["count"] == 12
        assert TASKS[task].metric in found_again
        assert TASKS[task].metric.replace("_", " ") in (tmp_path / task / "report.md").read_text()


def test_augmented_images_change_every_epoch_and_repeat_after_a_resume(
    squares: list[tuple[Path, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = records_of("vqa", squares)[:8]
    drawn: list[tuple[Any, ...]] = []
    task, _ = make("vqa", "vilt-tiny", records)
    collate = task.collate

    def note(batch: list[Record]) -> dict[str, torch.Tensor]:
        drawn.extend((str(record.image.picture), record.image.draw) for record in batch)  # type: ignore[union-attr]
        return collate(batch)

    monkeypatch.setattr(task, "collate", note)
    config = TrainConfig(epochs=2, batch_size=4, save_steps=1, augment={"n": 1, "m": 9})
    weights = []
    for folder in (tmp_path / "whole", tmp_path / "again"):
        drawn.clear()
        _, model = make("vqa", "vilt-tiny", records)
        fit(model, Experiment(task, records, training=config), folder=folder)
        weights.append({name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad})
        if folder.name == "whole":
            assert sorted({draw[0] for _, draw in drawn}) == [0, 1]
            assert len(set(drawn)) == 16
            (tmp_path / "again").mkdir()
            (tmp_path / "whole" / "checkpoint-3").rename(tmp_path / "again" / "checkpoint-3")
        else:
            assert {draw[0] for _, draw in drawn} == {1}
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_a_damaged_image_does_not_end_a_run(tmp_path: Path) -> None:
    from command_line import skiptune

    (tmp_path / "images").mkdir()
    rows = [
        {"image": f"{k}.png", "question": "which colour?", "answer": draw_square(tmp_path / "images" / f"{k}.png", k)}
        for k in range(12)
    ]
    whole = (tmp_path / "images" / "1.png").read_bytes()
    (tmp_path / "images" / "1.png").write_bytes(whole[: len(whole) // 2] + bytes(8) + whole[len(whole) // 2 :])
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "recipe.yaml").write_text(
        "output: out\n"
        "model: vilt-tiny\n"
        "data: {name: jsonl, train: train.jsonl, images: images, validation_share: 0.25}\n"
        "baselines: []\n"
        "budget: {num_skip: 1}\n"
        "search: {max_steps: 4, interval: 2}\n"
        "train: {max_steps: 6, batch_size: 4}\n"
        "bench: {batch_sizes: [1], repeats: 2}\n"
    )
    done = skiptune("run", str(tmp_path / "recipe.yaml"), "--output", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    log = "".join(path.read_text() for path in (tmp_path / "out" / "logs").glob("bad-*.log"))
    assert "1.png" in log


def test_a_fresh_head_begins_with_how_common_answers_are(make_model, task, records) -> None:
    model = make_model()
    task.start_head(model, records)
    bias = model.classifier[-1].bias
    common = torch.tensor([sum(answer in record.answers for record in records) for answer in task.answers])
    assert bias.sigmoid().tolist() == pytest.approx((common / len(records)).tolist(), abs=1e-6)
    before = bias.detach().clone()
    task.start_head(model, records[:3])
    assert torch.equal(model.classifier[-1].bias, before)  # it is not fresh any more
