"""Classification of images without texts by CLIP and SigLIP: one tower with a linear layer, or no training at all."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from conftest import draw_square
from skiptune import (
    Classification,
    Experiment,
    InputError,
    Plan,
    Record,
    Regression,
    SkipConfig,
    Vqa,
    ZeroShot,
    blocks_of,
    choose,
    evaluate,
    export,
    insert,
    load,
    load_model,
    load_processor,
    load_task,
    predict,
)
from skiptune.testing import check_family

FAMILIES = ("clip-tiny", "siglip-tiny")


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    folder = tmp_path_factory.mktemp("alone")
    return [Record(folder / f"{n}.png", label=draw_square(folder / f"{n}.png", n)) for n in range(8)]


@pytest.mark.parametrize("family", FAMILIES)
def test_without_texts_there_is_no_text_tower(family: str, records: list[Record], tmp_path: Path) -> None:
    task = Classification.from_records(load_processor(family), records)
    model = load_model(family, task.model_class, **task.model_changes())
    check_family(model)
    insert(model, SkipConfig())
    assert tuple(blocks_of(model)) == tuple(f"image.{number}" for number in range(4))
    assert isinstance(model.classifier, torch.nn.Linear)
    plan = Plan(model.config.model_type, tuple(blocks_of(model)), ("image.1",))
    choose(model, plan.skipped)
    slim = load(export(model, tmp_path / "slim", plan, task))
    again = load_task(tmp_path / "slim", slim)
    assert again.settings() == task.settings()
    assert not again.text
    assert evaluate(slim, again, records) == evaluate(model, task, records)


def test_with_a_text_both_towers_are_there(records: list[Record]) -> None:
    asked = [Record(record.image, "which?", label=record.label) for record in records]
    task = Classification.from_records(load_processor("clip-tiny"), asked)
    assert (task.text, task.settings()) == (True, {"answers": list(task.answers), "several": False})
    assert load_model("clip-tiny", task.model_class, **task.model_changes()).text_model is not None
    numbers = [Record(record.image, value=float(row)) for row, record in enumerate(records)]
    assert not Regression.from_records(load_processor("siglip-tiny"), numbers).text
    assert Regression.from_records(load_processor("vilt-tiny"), numbers).text


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_zero_shot_takes_the_nearest_label(family: str, records: list[Record]) -> None:
    known = ZeroShot.from_records(load_processor(family), records)
    assert (known.answers, known.prompts) == (("blue", "green", "red", "yellow"), ("a photo of a {}.",))
    task = ZeroShot(known.processor, known.answers, prompts=("a {}", "the {}!"))
    model = load_model(family, task.model_class).eval()
    found = evaluate(model, task, records, batch_size=3)
    texts = task.tokenize([prompt.format(name) for name in task.answers for prompt in task.prompts])
    (vectors,), (images,) = model.encode_texts(**texts), model.encode_images(**task.images.of(records))
    means = vectors.view(len(task.answers), 2, -1).mean(1)
    nearest = (images @ (means / means.norm(dim=-1, keepdim=True)).T).argmax(1)
    assert found.predictions == tuple(task.answers[label] for label in nearest.tolist())
    assert found.loss is not None
    assert predict(model, task, str(records[0].image), top=1)[0].answer == found.predictions[0]
    insert(model, SkipConfig(block_adapter="none"))
    assert evaluate(model, task, records).predictions == found.predictions
    choose(model, ("text.0", "image.2"))
    assert evaluate(model, task, records).loss != found.loss


def test_zero_shot_refuses_what_it_cannot_do(records: list[Record]) -> None:
    with pytest.raises(InputError, match="a vilt compares no vectors"):
        ZeroShot.from_records(load_processor("vilt-tiny"), records)
    processor = load_processor("clip-tiny")
    with pytest.raises(InputError, match=r"prompts: \['a photo'\]; expected sentences with {}"):
        ZeroShot(processor, ("a", "b"), prompts=("a photo", "a {}"))
    for kind in (ZeroShot, Classification):
        with pytest.raises(InputError, match="labels: 'red' is one text"):
            kind(processor, "red")
    with pytest.raises(InputError, match="answers: 'red' is one text"):
        Vqa(processor, "red")
    with pytest.raises(InputError, match=r"ZeroShot is not trained; evaluate and predict take it with .* retrieval"):
        Experiment(ZeroShot(processor, ("a", "b")), records)
    several = [Record(record.image, labels={"a": 1.0, "b": 1.0}) for record in records]
    with pytest.raises(InputError, match="a record has several labels"):
        ZeroShot.from_records(processor, several)
    with pytest.raises(InputError, match="load the model for 'retrieval'"):
        evaluate(load_model("clip-tiny", "vqa"), ZeroShot.from_records(processor, records), records)
