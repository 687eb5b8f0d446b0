"""Models under names: how they are called, what is refused, and that those on one base share its weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import PreTrainedModel

import skiptune as st
from skiptune.answering.opened import named_folders, open_models
from skiptune.data.record import Record
from skiptune.tasks.task import Task


@pytest.fixture
def kitchen_and_garden(
    make_model: Callable[..., PreTrainedModel], task: Task, base_folder: Path, tmp_path: Path
) -> list[Path]:
    """Two slim models of the form ``adapters`` on one base."""
    found = []
    for seed, (name, skipped) in enumerate({"kitchen": [1], "garden": [0, 2]}.items()):
        model = make_model(st.SkipConfig(), noise=0.1, seed=seed, name=str(base_folder))
        names = list(st.blocks_of(model))
        st.choose(model, [names[place] for place in skipped])
        plan = st.Plan("vilt", tuple(names), tuple(names[place] for place in skipped))
        st.export(model, tmp_path / name, plan, task, form="adapters")
        found.append(tmp_path / name)
    return found


def test_names(kitchen_and_garden: list[Path]) -> None:
    kitchen, garden = map(str, kitchen_and_garden)
    assert list(named_folders([kitchen, garden])) == ["kitchen", "garden"]
    assert list(named_folders([f"one={kitchen}", f"two={kitchen}"])) == ["one", "two"]
    with pytest.raises(st.InputError) as refused:
        named_folders([kitchen, f"kitchen={garden}", "nowhere", f"a/b={kitchen}"])
    assert "another model is called 'kitchen'" in str(refused.value)
    assert "nowhere: not a slim model" in str(refused.value)
    assert "'a/b' is no name: it has a slash" in str(refused.value)
    with pytest.raises(st.InputError, match="give at least one"):
        named_folders([])


def test_models_on_one_base_share_its_weights(
    kitchen_and_garden: list[Path], base_folder: Path, records: list[Record]
) -> None:
    opened = open_models(named_folders(list(map(str, kitchen_and_garden))))
    one, other = ({value.data_ptr() for value in each.pipeline.model.parameters()} for each in opened)
    assert one & other
    assert {each.base for each in opened} == {str(base_folder)}
    for each, folder in zip(opened, kitchen_and_garden, strict=True):
        alone = st.pipeline(folder)
        assert each.pipeline(records[0].image, records[0].question) == alone(records[0].image, records[0].question)
