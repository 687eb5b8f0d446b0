"""A task and a model class of the user's own: searched, trained, exported, loaded; and what could not be loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import PreTrainedModel

import skiptune as st
from own_rating import Rating, ViltForRating

EXPERIMENT = {
    "budget": st.Budget(num_skip=1),
    "search": st.SearchConfig(max_steps=2),
    "training": st.TrainConfig(max_steps=3, batch_size=4),
}


@pytest.fixture(scope="module")
def rows(data_folder: Path) -> list[dict[str, Any]]:
    """Stars of sixteen pictures."""
    return [{"image": data_folder / "images" / f"{k}.png", "value": 1 + k % 5} for k in range(16)]


def adapted(task: st.Task, model_class: type[PreTrainedModel] = ViltForRating) -> PreTrainedModel:
    model = st.load_model("vilt-tiny", model_class, **task.model_changes())
    return st.insert(model, st.SkipConfig(block_adapter="lora"))


@pytest.fixture(scope="module")
def trained(rows: list[dict[str, Any]]) -> tuple[PreTrainedModel, st.Plan, st.Task]:
    task = Rating.from_records(st.load_processor("vilt-tiny"), rows)
    model = adapted(task)
    experiment = st.Experiment(task, rows[:12], rows[12:], **EXPERIMENT)
    plan = st.search(model, experiment)
    st.fit(model, experiment, plan)
    return model.eval(), plan, task


def test_a_task_and_a_class_of_ones_own(trained: Any, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    model, plan, task = trained
    found = st.evaluate(model, task, rows)
    assert list(found.metrics) == ["closeness"]
    assert 0 < found.headline < 1
    for form in ("standalone", "adapters"):
        folder = st.export(model, tmp_path / form, plan, task, form)
        slim = st.load(folder, model_class=ViltForRating)
        again = st.load_task(folder, slim, Rating)
        assert again.settings() == {"most": 5}
        assert st.evaluate(slim, again, rows).headline == pytest.approx(found.headline, abs=1e-6)
    assert 1 <= st.predict(slim, again, rows[0]["image"]).answer <= 5
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "the task rating" in card
    assert "from own_rating import ViltForRating" in card
    assert 'st.load("PATH_OR_HUB_ID", model_class=ViltForRating)' in card
    assert 'st.load_task("PATH_OR_HUB_ID", model, task_class=Rating)' in card
    assert "st.pipeline" not in card
    slim.save_pretrained(tmp_path / "saved")
    assert isinstance(st.load(tmp_path / "saved", model_class=ViltForRating), ViltForRating)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"score": lambda self, record, prediction: 7}, "Odd.score: 7; expected a number in"),
        ({"score": lambda self, record, prediction: None}, "Odd.score: None; expected a number in"),
        ({"predictions": lambda self, logits: [1.0]}, "Odd.predictions: 1 for a batch of 16 records"),
    ],
)
def test_predictions_and_scores_that_are_none_are_refused(
    changed: dict[str, Any], said: str, trained: Any, rows: list[dict[str, Any]]
) -> None:
    model, _, task = trained
    odd = type("Odd", (Rating,), changed)(task.processor)
    with pytest.raises(st.InputError, match=said):
        st.evaluate(model, odd, rows)


def test_a_directory_names_the_classes_it_needs(trained: Any, tmp_path: Path) -> None:
    model, plan, task = trained
    folder = st.export(model, tmp_path / "slim", plan, task)
    with pytest.raises(st.InputError, match=r"of a class of its own, own_rating\.ViltForRating; import it and give it"):
        st.load(folder)
    for source in (folder, model):
        with pytest.raises(st.InputError, match=r"own_rating\.ViltForRating: a class of your own cannot be written as"):
            st.export_onnx(source, tmp_path / "onnx")
    with pytest.raises(st.InputError, match=r"model_class: .* is another class than own_rating\.ViltForRating"):
        st.load(folder, model_class=st.ViltForClassification)
    with pytest.raises(st.InputError, match=r"model_class: .* is not a class of PreTrainedModel"):
        st.load(folder, model_class=nn.Linear)  # type: ignore[arg-type]
    slim = st.load(folder, model_class=ViltForRating)
    with pytest.raises(st.InputError, match=r"of a class of its own, own_rating\.Rating; import it and give it"):
        st.load_task(folder, slim)
    with pytest.raises(st.InputError, match=r"task_class: .* is another class than own_rating\.Rating"):
        st.load_task(folder, slim, st.Vqa)


class NeedsMore(ViltForRating):
    """Cannot be made of its configuration alone."""

    def __init__(self, config: Any, width: int = 3) -> None:
        super().__init__(config)
        if width != 3:
            self.more = nn.Linear(width, width)


class Strange(Rating):
    """Its settings are no JSON values."""

    def settings(self) -> dict[str, Any]:
        return {"most": torch.tensor(5)}


class Forgetful(Rating):
    """Its settings do not come back."""

    def settings(self) -> dict[str, Any]:
        return {"highest": 5}


def test_what_could_not_be_loaded_is_not_exported(tmp_path: Path) -> None:
    processor = st.load_processor("vilt-tiny")
    task, out = Rating(processor), tmp_path / "out"

    class Local(ViltForRating):
        pass

    needs_more = adapted(task)
    needs_more.__class__ = NeedsMore
    needs_more.more = nn.Linear(4, 4)
    wrong = [
        (adapted(task, Local), task, "the model's class, .*Local, is made inside a function"),
        (needs_more, task, "NeedsMore: made of its configuration alone, as loading does, it has other weights"),
        (adapted(task), Strange(processor), "task: its settings are no JSON values"),
        (adapted(task), Forgetful(processor), "task: Forgetful cannot be made of its settings"),
    ]
    for model, own, message in wrong:
        with pytest.raises(st.InputError, match=message):
            st.export(model, out, task=own)
        assert not out.exists()
    for settings, message in (
        ({"extra": {"seconds": torch.tensor(1)}}, "extra: no JSON values"),
        ({"form": "adapters", "base": "nowhere"}, "nowhere: no such model or directory"),
    ):
        with pytest.raises(st.InputError, match=message):
            st.export(adapted(task), out, **settings)
        assert not out.exists()
