"""What stands in the configuration of a slim model: read as a whole, written as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from skiptune import InputError
from skiptune.core.validation import problem_lines
from skiptune.exporting.manifest import read_manifest
from skiptune.exporting.onnx.description import read_description

FIXTURES = Path(__file__).parents[1] / "fixtures" / "0.3"
ONNX: dict[str, Any] = {
    "format": 1,
    "model_type": "vilt",
    "head": "vqa",
    "image_size": None,
    "patch_size": 16,
    "inputs": {"input_ids": ["batch", "tokens"]},
    "models": {},
}


def changed(folder: Path, **changes: Any) -> Path:
    """The configuration of a slim model of 0.3 with other fields; ``None`` takes a field out."""
    content = {**json.loads((FIXTURES / "run" / "slim" / "config.json").read_text()), **changes}
    kept = {name: value for name, value in content.items() if value is not None or name not in changes}
    (folder / "config.json").write_text(json.dumps(kept))
    return folder


@pytest.mark.parametrize("name", ["run/slim", "slim-adapters"])
def test_what_0_3_wrote_is_written_again(name: str, tmp_path: Path) -> None:
    """In the same order, with the settings of adapters that it had not."""
    read_manifest(FIXTURES / name).write(tmp_path)
    written, before = (json.loads((folder / "config.json").read_text()) for folder in (tmp_path, FIXTURES / name))
    added = {
        field: written["skip_config"].pop(field) for field in written["skip_config"].keys() - before["skip_config"]
    }
    assert added["skip_adapter"] == "bottleneck"
    assert json.dumps(written) == json.dumps(before)


def test_keys_of_other_versions_are_kept(tmp_path: Path) -> None:
    read_manifest(changed(tmp_path, colour="red")).write(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["colour"] == "red"


def test_attributes_are_those_of_the_file() -> None:
    manifest = read_manifest(FIXTURES / "run" / "slim")
    assert (manifest.form, manifest.family.name, manifest.model_class.__name__) == (
        "standalone", "vilt", "ViltForQuestionAnswering",
    )  # fmt: skip
    assert (manifest.skipping.skipped, manifest.skipping.strategy) == (("2", "3"), "bandit")
    assert manifest.task is not None
    assert (manifest.task.name, manifest.task.settings) == ("vqa", {"answers": ["blue", "green", "red", "yellow"]})


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    folder = changed(
        tmp_path, format=3, form="other", base_config=[], skip_config={"block_widht": 1}, strategy=None,
        plan={"family": "vilt", "blocks": ["0", "1"], "skipped": ["7"]}, task={"name": "vqs"},
    )  # fmt: skip
    with pytest.raises(InputError, match=r"config\.json is not valid") as refusal:
        read_manifest(folder)
    assert problem_lines(refusal.value) == [
        "format: 3, this version reads 1 and 2",
        "form: 'other'; valid: standalone, adapters",
        "base_config: [] is not a mapping",
        "skip_config.block_widht: unknown field; did you mean 'block_width'?",
        "plan.skipped: '7': no such block; valid: 0, 1",
        "strategy: missing",
        "task.name: 'vqs'; did you mean 'vqa'?",
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"architecture": "ViltForDancing"}, "architecture: 'ViltForDancing' is not one of"),
        ({"header_sha256": None}, "header_sha256: missing"),
        ({"format": 1}, "weights_sha256: missing"),
    ],
)
def test_fields_that_do_not_go_together(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        read_manifest(changed(tmp_path, **changes))


def test_descriptions_of_onnx_models(tmp_path: Path) -> None:
    (tmp_path / "onnx.json").write_text(json.dumps({**ONNX, "tool": "x"}))
    read_description(tmp_path).write(tmp_path)
    assert json.loads((tmp_path / "onnx.json").read_text())["tool"] == "x"
    content = {**ONNX, "format": 2, "patch_size": "16", "models": {"onnx": {"sha256": {}, "rows": None}}}
    del content["image_size"]
    (tmp_path / "onnx.json").write_text(json.dumps(content))
    with pytest.raises(InputError) as refusal:
        read_description(tmp_path)
    assert problem_lines(refusal.value) == [
        "format: 2, this version reads 1",
        "image_size: missing",
        "patch_size: '16' is not a whole number of at least 1",
        "models.onnx.relative_difference: missing",
        "models.onnx.batches: missing",
        "models.onnx.same_choice: missing",
        "models.onnx.rows: None is not a whole number",
    ]
