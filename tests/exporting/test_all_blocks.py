"""A slim model with the blocks of its base again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

import skiptune as st
from conftest import MakeModel
from skiptune.exporting.all_blocks import load_with_all_blocks
from skiptune.tasks.task import Task


@pytest.mark.parametrize("form", ["standalone", "adapters"])
@pytest.mark.parametrize("skip_adapter", ["bottleneck", "folded"])
def test_it_is_the_model_before_blocks_were_skipped(
    form: str,
    skip_adapter: str,
    make_model: MakeModel,
    task: Task,
    batch: dict[str, Tensor],
    base_folder: Path,
    tmp_path: Path,
) -> None:
    config = st.SkipConfig(block_adapter="none", skip_adapter=skip_adapter)
    model = make_model(config, noise=0.1, name=str(base_folder))
    names = list(st.blocks_of(model))
    plan = st.Plan("vilt", tuple(names), (names[1],))
    st.export(model, tmp_path / "slim", plan, task, form=form)
    whole = load_with_all_blocks(tmp_path / "slim")
    st.choose(model, [])
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    with torch.no_grad():
        torch.testing.assert_close(whole(**inputs).logits, model(**inputs).logits)
    assert not [name for name, value in whole.named_parameters() if value.requires_grad]


def test_another_base_and_a_plain_checkpoint_are_refused(
    make_model: MakeModel, task: Task, base_folder: Path, tmp_path: Path
) -> None:
    model = make_model(st.SkipConfig(), name=str(base_folder))
    plan = st.Plan("vilt", tuple(st.blocks_of(model)), ("1",))
    st.export(model, tmp_path / "slim", plan, task)
    other = make_model(seed=1)
    other.save_pretrained(tmp_path / "other")
    with pytest.raises(st.InputError, match=r"not the base it was trained on; .* frozen weights differ"):
        load_with_all_blocks(tmp_path / "slim", str(tmp_path / "other"))
    with pytest.raises(st.InputError, match="a plain checkpoint"):
        load_with_all_blocks(base_folder)
