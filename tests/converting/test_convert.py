"""``skiptune convert``: the golden numbers through the command line, and refusals that leave nothing behind."""

from __future__ import annotations

import errno
import json
import os
import pickle
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from transformers import PreTrainedModel, ViltConfig

import skiptune as st
from original_checkpoints import (
    GATE,
    difference,
    golden,
    model_class,
    needs_golden,
    settings,
    state_of,
    write_checkpoint,
)
from skiptune.cli.main import main
from skiptune.converting import Hints
from skiptune.converting.meter_layout import METER
from skiptune.converting.shapes import Shapes
from skiptune.converting.vilt_layout import VILT
from skiptune.exporting import export as slim_module
from skiptune.families.meter.processing import byte_tokenizer
from skiptune.models.embedded import embedded_path

TOLERANCE = 1e-5
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """``command("convert", …)``: exit code, standard output and standard error of ``skiptune``."""
    monkeypatch.setattr(sys.modules["skiptune.cli.main"], "keep_freed_memory", lambda: None)

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["skiptune", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err

    return run


# --- numbers


@needs_golden
@pytest.mark.parametrize("family", ["vilt", "meter"])
@pytest.mark.parametrize("task", ["vqa", "reasoning", "retrieval"])
def test_golden_numbers_of_original_checkpoints(family: str, task: str, command: Command, tmp_path: Path) -> None:
    """All heads are in one file, so the task is named; sizes and heads are not."""
    path = write_checkpoint(tmp_path / "original.ckpt", family, state_of(family))
    code, said, complaint = command("convert", path, tmp_path / "out", "--task", task)
    assert code == 0, complaint
    assert f"task {task}" in said
    model = model_class(family, task).from_pretrained(tmp_path / "out")
    assert difference(family, task, "orig_noadapter", model) <= TOLERANCE
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    ]


@needs_golden
@pytest.mark.parametrize("family", ["vilt", "meter"])
@pytest.mark.parametrize("task", ["vqa", "reasoning", "retrieval"])
def test_golden_numbers_of_das_checkpoints(family: str, task: str, command: Command, tmp_path: Path) -> None:
    listed = settings(family)["skip_sets"]["skipA"]
    path = write_checkpoint(tmp_path / "das.ckpt", family, state_of(family, adapters=True), skip_module=listed)
    code, said, complaint = command("convert", path, tmp_path / "out", "--task", task)
    assert code == 0, complaint
    assert "skip_module in the checkpoint's settings" in said
    assert difference(family, task, "skipA", st.load(tmp_path / "out")) <= TOLERANCE
    plan = st.Plan.load(tmp_path / "out" / "plan.json")
    assert [plan.blocks.index(name) for name in plan.skipped] == listed


@needs_golden
def test_plan_is_that_of_the_highest_preferences(command: Command, tmp_path: Path) -> None:
    gate = torch.linspace(-1, 1, 12)
    gate[settings("meter")["skip_sets"]["skipA"]] += 3
    path = tmp_path / "searched.ckpt"
    torch.save({**state_of("meter", adapters=True, heads=("vqa",)), GATE: gate}, path)
    code, said, _ = command("convert", path, tmp_path / "out", "--heads", 4)
    assert code == 0
    assert "text.2, text.3, image.2, image.5 (the 4 highest of das_gate)" in said
    assert "search's state" not in said, "it was used"
    plan = st.Plan.load(tmp_path / "out" / "plan.json")
    assert plan.strategy == "policy"
    assert list((plan.preferences or {}).values()) == gate.tolist()
    assert difference("meter", "vqa", "skipA", st.load(tmp_path / "out")) <= TOLERANCE


@needs_golden
@pytest.mark.parametrize(("skip", "skipped"), [("none", ()), ("11,text.0", ("text.0", "image.5"))])
def test_skip_overrides_what_the_checkpoint_says(skip, skipped, command: Command, tmp_path: Path) -> None:
    state = state_of("meter", adapters=True, heads=("vqa",))
    path = write_checkpoint(tmp_path / "das.ckpt", "meter", state, skip_module=[1])
    assert command("convert", path, tmp_path / "out", "--skip", skip)[0] == 0
    assert st.Plan.load(tmp_path / "out" / "plan.json").skipped == skipped
    if not skipped:
        assert difference("meter", "vqa", "noskip", st.load(tmp_path / "out")) <= TOLERANCE


@needs_golden
@pytest.mark.parametrize("form", ["plain", "safetensors", "half"])
def test_other_files_with_the_same_weights(form: str, command: Command, tmp_path: Path) -> None:
    """Nothing but weights in them: the heads are said. Half precision becomes single again."""
    state = state_of("vilt", heads=("vqa",))
    path = tmp_path / ("weights.safetensors" if form == "safetensors" else "weights.pt")
    if form == "half":
        torch.save({key: value.half() if value.is_floating_point() else value for key, value in state.items()}, path)
    elif form == "plain":
        torch.save(state, path)
    else:
        save_file(state, path)
    code, _, complaint = command("convert", path, tmp_path / "out")
    assert code == 2
    assert "no published model is 64 wide" in complaint
    assert command("convert", path, tmp_path / "out", "--heads", 4)[0] == 0
    model = model_class("vilt", "vqa").from_pretrained(tmp_path / "out")
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert difference("vilt", "vqa", "orig_noadapter", model) <= (0.01 if form == "half" else TOLERANCE)


# --- sizes


def published(shapes: dict[str, tuple[int, ...]]) -> Shapes:
    return Shapes({key: torch.empty(shape, device="meta") for key, shape in shapes.items()})


def roberta_and_clip(side: int) -> dict[str, tuple[int, ...]]:
    """Shapes that tell the sizes of METER's published checkpoints."""
    embeddings, clip = "text_transformer.embeddings", "vit_model.visual"
    return {
        f"{embeddings}.LayerNorm.weight": (768,),
        f"{embeddings}.word_embeddings.weight": (50265, 768),
        f"{embeddings}.position_embeddings.weight": (514, 768),
        f"{embeddings}.token_type_embeddings.weight": (1, 768),
        **{f"text_transformer.encoder.layer.{n}.intermediate.dense.weight": (3072, 768) for n in range(12)},
        f"{clip}.ln_post.weight": (768,),
        f"{clip}.conv1.weight": (768, 3, 16, 16),
        f"{clip}.positional_embedding": ((side // 16) ** 2 + 1, 768),
        **{f"{clip}.transformer.resblocks.{n}.mlp.c_fc.weight": (3072, 768) for n in range(11)},
        "cross_modal_text_transform.weight": (768, 768),
        "token_type_embeddings.weight": (2, 768),
        **{f"cross_modal_text_layers.{n}.intermediate.dense.weight": (3072, 768) for n in range(6)},
    }


@pytest.mark.parametrize(("side", "hints"), [(288, Hints()), (576, Hints()), (288, Hints(image_size=384))])
def test_sizes_of_published_meter(side: int, hints: Hints) -> None:
    shapes = published(roberta_and_clip(side))
    found = st.MeterConfig(**METER.sizes(shapes, hints))
    expected = st.MeterConfig(vision_config={"image_size": side}, image_size=hints.image_size or side)
    assert shapes.problems.found == []
    assert found.to_dict() == expected.to_dict()


def test_sizes_of_published_vilt() -> None:
    text = "text_embeddings"
    shapes = published(
        {
            f"{text}.word_embeddings.weight": (30522, 768),
            f"{text}.position_embeddings.weight": (40, 768),
            f"{text}.token_type_embeddings.weight": (2, 768),
            "token_type_embeddings.weight": (2, 768),
            "transformer.norm.weight": (768,),
            "transformer.pos_embed": (1, 145, 768),
            "transformer.patch_embed.proj.weight": (768, 3, 32, 32),
            **{f"transformer.blocks.{n}.mlp.fc1.weight": (3072, 768) for n in range(12)},
        }
    )
    assert ViltConfig(**VILT.sizes(shapes, Hints())).to_dict() == ViltConfig(num_images=2).to_dict()
    assert shapes.problems.found == []


def test_what_shapes_do_not_tell_is_listed_together() -> None:
    shapes = published(roberta_and_clip(288) | {"vit_model.visual.positional_embedding": (300, 768)})
    METER.sizes(shapes, Hints(heads=5, image_size=100))
    VILT.sizes(shapes, Hints())
    said = "\n".join(shapes.problems.found)
    for expected in ("299 patches are no square", "5 do not divide the width 768", "100 is not a multiple"):
        assert expected in said
    assert "transformer.pos_embed: missing" in said


# --- tasks


@needs_golden
def test_the_only_task_head_decides(command: Command, tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "nlvr2.ckpt", "meter", state_of("meter", heads=("nlvr2", "itm")))
    code, said, _ = command("convert", path, tmp_path / "out")
    assert code == 0
    assert "METER, task reasoning, 2 labels" in said
    assert "3 tensors of CLIP's text transformer" in said
    assert "2 tensors of the itm head" in said
    assert json.loads((tmp_path / "out" / "config.json").read_text())["architectures"] == ["MeterForVisualReasoning"]


@needs_golden
def test_several_task_heads_ask_for_a_choice(command: Command, tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "all.ckpt", "vilt", state_of("vilt"))
    code, _, complaint = command("convert", path, tmp_path / "out")
    assert code == 2
    assert "all.ckpt: heads of several tasks are in it: vqa, reasoning, retrieval; choose one with --task" in complaint
    code, _, complaint = command("convert", path, tmp_path / "out", "--task", "entailment")
    assert code == 2
    assert "task 'entailment': there is no head for it" in complaint
    assert not (tmp_path / "out").exists()


@needs_golden
@pytest.mark.parametrize("family", ["vilt", "meter"])
def test_pretrained_checkpoints(family: str, command: Command, tmp_path: Path) -> None:
    """The body serves any task; the matching head's row for a match starts retrieval."""
    path = write_checkpoint(tmp_path / "pretrained.ckpt", family, state_of(family, heads=("itm",)))
    assert command("convert", path, tmp_path / "body", "--image-size", 96)[0] == 0
    code, said, _ = command("convert", path, tmp_path / "rank", "--task", "retrieval")
    assert code == 0
    assert "the itm head" not in said
    body = st.load_model(str(tmp_path / "body"), "vqa", num_labels=5)
    ranking = model_class(family, "retrieval").from_pretrained(tmp_path / "rank")
    shared = {name: value for name, value in ranking.state_dict().items() if name.startswith(f"{family}.")}
    assert all(torch.equal(value, body.state_dict()[name]) for name, value in shared.items())
    assert torch.equal(ranking.rank_output.weight, golden(family, "state_dict")["itm_score.fc.weight"][1:])
    if family == "meter":  # whose ranking model can have the matching head itself, for its loss
        for wanted in (False, True):
            ranking = st.load_model(str(tmp_path / "rank"), "retrieval", matching_loss=wanted)
            assert (ranking.matching is not None) == wanted
        assert torch.equal(ranking.matching.weight, golden(family, "state_dict")["itm_score.fc.weight"])
        assert torch.equal(ranking.matching.bias, golden(family, "state_dict")["itm_score.fc.bias"])
    if family == "meter":  # the DAS code's start, in one field
        body = st.load_model(str(tmp_path / "body"), "vqa", text_start="token")
        assert torch.equal(body.meter.token4classifier[0, 0], body.meter.start_embedding())
    code, _, complaint = command("convert", path, tmp_path / "out", "--task", "vqa")
    assert code == 2
    assert "there is no head for it; tasks with a head: none. --task pretrained" in complaint


# --- ready for use


@needs_golden
@pytest.mark.parametrize("family", ["vilt", "meter"])
def test_with_a_tokenizer_runs_can_start_from_it(family: str, command: Command, tmp_path: Path) -> None:
    """``load_processor`` and ``load_model`` are what a recipe's ``model:`` goes through."""
    words = embedded_path("vilt-scenes")
    if family == "meter":
        words = tmp_path / "words"
        byte_tokenizer(99).save_pretrained(words)
    path = write_checkpoint(tmp_path / "vqa.ckpt", family, state_of(family, heads=("vqa",)))
    code, said, _ = command("convert", path, tmp_path / "out", "--tokenizer", words, "--image-size", 128)
    assert code == 0
    assert "no tokenizer" not in said
    processor = st.load_processor(str(tmp_path / "out"))
    assert processor.tokenizer.model_max_length == 12
    assert 128 in dict(processor.image_processor.size).values()
    assert st.load_model(str(tmp_path / "out"), "vqa", num_labels=3).config.num_labels == 3
    code, _, complaint = command("convert", path, tmp_path / "other", "--tokenizer", tmp_path / "nowhere")
    assert code == 2
    assert "no such directory" in complaint


@needs_golden
def test_a_converted_das_model_answers_questions(command: Command, data_folder: Path, tmp_path: Path) -> None:
    answers = {f"answer {label}": label for label in reversed(range(40))}
    (tmp_path / "answers.json").write_text(json.dumps(answers))
    state = state_of("vilt", adapters=True, heads=("vqa",))
    path = write_checkpoint(tmp_path / "das.ckpt", "vilt", state)
    given = ("--skip", "1,4,8,11", "--tokenizer", embedded_path("vilt-scenes"))
    assert command("convert", path, tmp_path / "out", *given, "--answers", tmp_path / "answers.json")[0] == 0
    image = data_folder / "images" / "0.png"
    code, said, _ = command("predict", tmp_path / "out", image, "what colour is it?", "--top", 40, "--json")
    assert code == 0
    assert {entry["answer"] for entry in json.loads(said)} == set(answers)
    model = st.load(tmp_path / "out")
    assert model.config.id2label[7] == "answer 7"
    (tmp_path / "answers.json").write_text(json.dumps(list(answers)[:39]))
    code, _, complaint = command("convert", path, tmp_path / "new", *given, "--answers", tmp_path / "answers.json")
    assert code == 2
    assert "expected a list of 40 different answers" in complaint


# --- refusals


class Bomb:
    """Unpickled, it would make a directory."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("form", ["zip", "legacy", "pickle", "newest pickle"])
def test_nothing_of_a_malicious_pickle_runs(form: str, command: Command, tmp_path: Path) -> None:
    path, target = tmp_path / "evil.ckpt", tmp_path / "executed"
    content = {"state_dict": {"transformer.norm.weight": torch.zeros(2)}, "callbacks": Bomb(target)}
    if "pickle" in form:
        path.write_bytes(pickle.dumps({"callbacks": Bomb(target)}, 2 if form == "pickle" else pickle.HIGHEST_PROTOCOL))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "zip")
    code, _, complaint = command("convert", path, tmp_path / "out")
    assert code == 2
    if form == "newest pickle":
        assert "not a checkpoint that torch.save wrote" in complaint
    else:
        assert f"evil.ckpt: holds more than tensors and plain containers: {os.mkdir.__module__}.mkdir" in complaint
        assert "nothing was read" in complaint
    assert [file.name for file in tmp_path.iterdir()] == ["evil.ckpt"]


@needs_golden
def test_callbacks_that_lightning_names_by_class_are_no_obstacle(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Older versions file the callbacks' notes under their classes. Neither these nor their modules are needed."""
    name = "pytorch_lightning.callbacks.model_checkpoint"
    note = type("ModelCheckpoint", (), {"__module__": name})
    path = tmp_path / "vqa.ckpt"
    with monkeypatch.context() as patch:
        for part in ("pytorch_lightning", "pytorch_lightning.callbacks", name):
            patch.setitem(sys.modules, part, types.ModuleType(part))
        sys.modules[name].ModelCheckpoint = note  # type: ignore[attr-defined]
        notes = {note: {"best_model_score": torch.tensor(0.7), "best_model_path": "best.ckpt"}}
        torch.save({"state_dict": state_of("vilt", heads=("vqa",)), "callbacks": notes}, path)
    assert command("convert", path, tmp_path / "out", "--heads", 4)[0] == 0
    assert "pytorch_lightning" not in sys.modules


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("text.ckpt", b"once upon a time\n", "not a checkpoint that torch.save wrote"),
        ("picture.ckpt", b"\x89PNG\r\n\x1a\n" + bytes(64), "not a checkpoint that torch.save wrote"),
        ("empty.ckpt", b"", "an empty file"),
        ("pointer.ckpt", b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
        ("short.safetensors", b"\x40\0\0\0\0\0\0\0{", "not a safetensors file, or truncated"),
        ("nowhere.ckpt", None, "no such file"),
    ],
)
def test_files_of_other_kinds(name: str, content: bytes | None, said: str, command: Command, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    code, _, complaint = command("convert", tmp_path / name, tmp_path / "out")
    assert code == 2
    assert f"{name}: {said}" in complaint
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("zipped", [True, False])
def test_truncated_checkpoints(share: float, zipped: bool, command: Command, tmp_path: Path) -> None:
    path = tmp_path / "cut.ckpt"
    state = {"transformer.norm.weight": torch.randn(999)}
    torch.save({"state_dict": state}, path, _use_new_zipfile_serialization=zipped)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    code, _, complaint = command("convert", path, tmp_path / "out")
    assert code == 2
    assert "truncated" in complaint
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"state_dict": {}}, "no weights in it"),
        ([torch.zeros(1)], "no weights in it"),
        ({"model": {}, "step": 3}, "no tensors: model, step"),
        ({"conv1.weight": torch.zeros(1), "fc.bias": torch.zeros(1)}, "none of the 2 keys is known (conv1.weight, fc"),
    ],
)
def test_pickles_without_a_known_model(content: Any, said: str, command: Command, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "other.pt")
    code, _, complaint = command("convert", tmp_path / "other.pt", tmp_path / "out")
    assert code == 2
    assert said in complaint


@needs_golden
def test_all_unknown_and_all_missing_keys_are_named(command: Command, tmp_path: Path) -> None:
    state = state_of("vilt", heads=("vqa",))
    more = {f"transformer.extra.{number}": torch.zeros(1) for number in range(9)}
    path = write_checkpoint(tmp_path / "a.ckpt", "vilt", state | more)
    code, _, complaint = command("convert", path, tmp_path / "out")
    assert code == 2
    assert all(f"- {key}: unknown key" in complaint for key in more)
    gone = ("transformer.pos_embed", "text_embeddings.word_embeddings.weight")
    less = {key: value for key, value in state.items() if key not in gone}
    code, _, complaint = command("convert", write_checkpoint(tmp_path / "b.ckpt", "vilt", less), tmp_path / "out")
    assert code == 2
    assert all(f"- {key}: missing" in complaint for key in gone)
    less = {key: value for key, value in state.items() if not key.endswith("norm.bias") and "blocks.3.attn" not in key}
    code, _, complaint = command("convert", write_checkpoint(tmp_path / "c.ckpt", "vilt", less), tmp_path / "out")
    assert code == 2
    assert "- vilt.layernorm.bias: missing" in complaint
    assert "- vilt.encoder.layer.3.attention.attention.key.weight: missing" in complaint
    assert not (tmp_path / "out").exists()


@needs_golden
@pytest.mark.parametrize(
    ("family", "changes", "options", "said"),
    [
        ("meter", {}, (), "das_gate: the 4 highest of [0.0"),
        ("meter", {"skip_module": [3, 12]}, (), "skipped blocks [12]: the released code numbers them 0 to 11"),
        ("meter", {"skip_module": "2"}, (), "is no list of numbers"),
        ("vilt", {}, (), "does not say which blocks are skipped"),
        ("vilt", {}, ("--skip", "twelve"), "'twelve': no such block"),
        ("vilt", {}, ("--skip", " ,"), "no block is named"),
        ("vilt", {}, ("--task", "pretrained"), "adapters, which belong to a task"),
    ],
)
def test_plans_that_cannot_be_told(family, changes, options, said: str, command: Command, tmp_path: Path) -> None:
    state = state_of(family, adapters=True, heads=("vqa",))
    path = write_checkpoint(tmp_path / "das.ckpt", family, state, **changes)
    code, _, complaint = command("convert", path, tmp_path / "out", *options)
    assert code == 2
    assert said in complaint
    assert not (tmp_path / "out").exists()


@needs_golden
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({GATE: torch.arange(9.0)}, "9 and 1 numbers for 12 blocks"),
        ({GATE: torch.full((12,), float("nan"))}, "is not possible"),
        ({GATE: torch.arange(12.0), "skip_num": torch.tensor([12.0])}, "12 of"),
        ({GATE: torch.arange(12.0), "skip_num": torch.tensor([0.5])}, "0.5 is not a whole number"),
    ],
)
def test_search_states_that_make_no_plan(changes, said: str, command: Command, tmp_path: Path) -> None:
    torch.save(state_of("meter", adapters=True, heads=("vqa",)) | changes, tmp_path / "das.pt")
    code, _, complaint = command("convert", tmp_path / "das.pt", tmp_path / "out", "--heads", 4)
    assert code == 2
    assert said in complaint


@needs_golden
def test_an_output_in_use_is_left_alone(command: Command, tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "vqa.ckpt", "vilt", state_of("vilt", heads=("vqa",)))
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("important")
    for output, said in (("thesis", "exists and is not empty"), ("vqa.ckpt", "a file is in the way")):
        code, _, complaint = command("convert", path, tmp_path / output)
        assert code == 2
        assert said in complaint
    assert [file.name for file in (tmp_path / "thesis").iterdir()] == ["chapter.txt"]
    (tmp_path / "empty").mkdir()
    assert command("convert", path, tmp_path / "empty")[0] == 0
    assert sorted(file.name for file in tmp_path.iterdir()) == ["empty", "thesis", "vqa.ckpt"]


@needs_golden
@pytest.mark.parametrize("adapters", [False, True])
def test_a_full_disk_leaves_nothing(adapters: bool, command: Command, tmp_path: Path, monkeypatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    state = state_of("vilt", adapters, ("vqa",))
    path = write_checkpoint(tmp_path / "a.ckpt", "vilt", state, skip_module=[1] if adapters else [])
    monkeypatch.setattr(*(slim_module, "write_tensors") if adapters else (PreTrainedModel, "save_pretrained"), full)
    code, _, complaint = command("convert", path, tmp_path / "out")
    assert code == 1
    assert "could not be written" in complaint
    assert [file.name for file in tmp_path.iterdir()] == ["a.ckpt"]


@needs_golden
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda value: value.sum(), "a single number; a weight has at least one axis"),
        (lambda value: value.to_sparse(), "a tensor of kind sparse_coo; expected a dense one"),
        (lambda value: value.to(torch.int64), "numbers of kind int64; expected weights of"),
        (lambda value: value.to(torch.complex64), "a tensor of kind complex64; expected a dense one"),
        (lambda value: value * float("nan"), "NaN or infinity in it"),
    ],
    ids=["scalar", "sparse", "int", "complex", "nan"],
)
@pytest.mark.parametrize("family", ["vilt", "meter"])
def test_tensors_that_are_no_weights(family: str, change, said: str, command: Command, tmp_path: Path) -> None:
    state = state_of(family, heads=("vqa",))
    key = "vqa_classifier.3.weight"
    path = write_checkpoint(tmp_path / "odd.ckpt", family, {**state, key: change(state[key])})
    code, _, complaint = command("convert", path, tmp_path / "out")
    assert code == 2
    assert f"{path}: weights that cannot be used" in complaint
    assert f"{key}: {said}" in complaint
    assert not (tmp_path / "out").exists()


@needs_golden
@pytest.mark.parametrize("family", ["vilt", "meter"])
@pytest.mark.parametrize("part", ["weight", "bias"])
def test_half_a_matching_head_is_none(family: str, part: str, command: Command, tmp_path: Path) -> None:
    state = state_of(family, heads=("vqa", "itm"))
    del state[f"itm_score.fc.{part}"]
    path = write_checkpoint(tmp_path / "half.ckpt", family, state)
    assert command("convert", path, tmp_path / "out", "--task", "vqa")[0] == 0
    code, _, complaint = command("convert", path, tmp_path / "rank", "--task", "retrieval")
    assert code == 2
    assert "needs the 'rank' head" in complaint


@needs_golden
def test_a_block_of_too_many_digits_is_refused(command: Command, tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "das.ckpt", "vilt", state_of("vilt", adapters=True, heads=("vqa",)))
    code, _, complaint = command("convert", path, tmp_path / "out", "--skip", "9" * 5000)
    assert code == 2
    assert "is the number of no block" in complaint
    assert len(complaint) < 500
