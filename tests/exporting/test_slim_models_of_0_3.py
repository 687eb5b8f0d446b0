"""Slim models that version 0.3 exported load, answer with the numbers that 0.3 gave, and are exported again alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

import skiptune as st
from skiptune.cli.main import app
from skiptune.config.skip_config import as_before
from written_by_0_3 import copied_to, expected

QUESTION = "what colour is it?"
#: Fields that say who wrote a file and on what.
WRITER = ("skiptune_version", "versions")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied_to(tmp_path_factory.mktemp("written"))


def slim_folder(here: Path, name: str) -> Path:
    return here / "run" / "slim" if name == "run" else here / name


def same_answers(found: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
    assert [entry["answer"] for entry in found] == [entry["answer"] for entry in wanted]
    assert [entry["probability"] for entry in found] == pytest.approx([entry["probability"] for entry in wanted])


@pytest.mark.parametrize("verify", [False, True])
@pytest.mark.parametrize("name", ["run", "slim-adapters"])
def test_slim_models_load(name: str, verify: bool, here: Path) -> None:
    model = st.load(slim_folder(here, name), verify=verify)
    assert type(model).__name__ == "ViltForQuestionAnswering"
    assert not model.training
    assert model.skip_config == st.SkipConfig(block_adapter="lora", lora_rank=16, skip_adapter="bottleneck")
    skipped = json.loads((slim_folder(here, name) / "config.json").read_text())["plan"]["skipped"]
    assert skipped == json.loads((here / "run" / "plan.json").read_text())["skipped"] == ["2", "3"]
    sizes = [sum(p.numel() for p in block.parameters()) for block in st.blocks_of(model).values()]
    assert sizes[0] == sizes[1] > 4 * sizes[2] == 4 * sizes[3] > 0  # only the skip adapters are left


@pytest.mark.parametrize("name", ["run", "slim-adapters"])
def test_predictions_are_those_of_0_3(name: str, here: Path) -> None:
    image = str(here / "data" / "images" / "17.png")
    done = CliRunner().invoke(app, ["predict", str(here / name), image, QUESTION, "--json"], catch_exceptions=False)
    same_answers(json.loads(done.stdout), expected(name)["predict"])


@pytest.mark.parametrize("name", ["run", "slim-adapters"])
def test_measures_are_those_of_0_3(name: str, here: Path) -> None:
    data, images = str(here / "data" / "test.jsonl"), str(here / "data" / "images")
    command = ["evaluate", str(here / name), "--data", data, "--images", images, "--json"]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    found = json.loads(done.stdout)
    measured = expected("run")["evaluate"]
    assert {name: found[name] for name in measured} == pytest.approx(measured)


@pytest.mark.parametrize(("form", "name"), [("standalone", "run"), ("adapters", "slim-adapters")])
def test_a_run_of_0_3_is_exported_alike(form: str, name: str, here: Path, tmp_path: Path) -> None:
    command = ["export", str(here / "run"), str(tmp_path / "slim"), "--form", form]
    assert CliRunner().invoke(app, command, catch_exceptions=False).exit_code == 0
    before = slim_folder(here, name)
    old, new = (load_file(folder / "slim.safetensors") for folder in (before, tmp_path / "slim"))
    assert old.keys() == new.keys()
    for key, value in old.items():
        torch.testing.assert_close(new[key], value)
    contents = [json.loads((folder / "config.json").read_text()) for folder in (before, tmp_path / "slim")]
    assert contents[1].pop("files").keys() == {"processor_config.json", "tokenizer.json", "tokenizer_config.json"}
    assert contents[1].pop("sha256")
    for content in contents:
        for field in WRITER:
            assert content.pop(field)
        content["skip_config"] = st.SkipConfig.from_dict(as_before(content["skip_config"])).to_dict()
        content["extra"].pop("compared_on", None)
        content["extra"].pop("latency", None)
        content["extra"].pop("image_size", None)
        content["extra"].pop("seen", None)
        content["extra"].pop("priors", None)
    assert contents[1] == contents[0]
