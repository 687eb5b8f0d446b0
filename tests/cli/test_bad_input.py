"""Whatever is wrong: exit code 2 or 1, a sentence that says what, no traceback, and what was there before is kept."""

from __future__ import annotations

import contextlib
import json
import re
import resource
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import BertConfig

from command_line import skiptune
from conftest import Call, draw_square, write_recipe
from own_process import OwnProcess
from skiptune import InputError, SkipConfig, export, insert, load_model, read_recipe
from skiptune.cli.main import main
from skiptune.core.validated import Validated
from skiptune.exporting import hub
from skiptune.running.recipe import Recipe


@pytest.fixture(scope="module")
def finished(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a finished run; copied before it is damaged."""
    folder = tmp_path_factory.mktemp("finished")
    recipe = write_recipe(folder / "tiny.yaml", data_folder, output=str(folder / "out"), search={"max_steps": 6})
    assert skiptune("run", str(recipe)).returncode == 0
    return folder


@pytest.fixture
def run_copy(finished: Path, tmp_path: Path) -> Path:
    """``out/`` of a finished run, and ``tiny.yaml`` that made it."""
    shutil.copytree(finished, tmp_path / "copy")
    recipe = yaml.safe_load((tmp_path / "copy" / "tiny.yaml").read_text())
    (tmp_path / "copy" / "tiny.yaml").write_text(yaml.safe_dump({**recipe, "output": str(tmp_path / "copy" / "out")}))
    return tmp_path / "copy"


def forget(folder: Path, *names: str) -> None:
    """Let a run do its last steps again."""
    for name in names:
        (folder / name).unlink()


# Images and questions -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["missing", "text", "truncated", "folder", "empty"])
def test_predict_refuses_what_is_no_image(kind: str, call: Call, finished: Path, tmp_path: Path) -> None:
    image = tmp_path / "picture.png"
    if kind == "text":
        image.write_text("no picture")
    elif kind == "truncated":
        draw_square(image, 1)
        image.write_bytes(image.read_bytes()[:60])
    elif kind == "folder":
        image.mkdir()
    elif kind == "empty":
        image.touch()
    code, out, err = call("predict", finished / "out", image, "what colour is it?")
    assert (code, out) == (2, "")
    assert f"image {image}: " in err


def test_predict_refuses_an_image_cut_off_behind_its_header(call: Call, finished: Path, tmp_path: Path) -> None:
    Image.effect_noise((64, 64), 50).convert("RGB").save(tmp_path / "noise.jpg")
    data = (tmp_path / "noise.jpg").read_bytes()
    (tmp_path / "noise.jpg").write_bytes(data[: len(data) - 500])
    code, _, err = call("predict", finished / "out", tmp_path / "noise.jpg", "what colour is it?")
    assert code == 2
    assert "noise.jpg: cannot be read" in err


@pytest.mark.parametrize("question", ["", "   "])
def test_predict_refuses_an_empty_question(question: str, call: Call, finished: Path, data_folder: Path) -> None:
    code, _, err = call("predict", finished / "out", data_folder / "images" / "0.png", question)
    assert code == 2
    assert "the question is empty" in err


def test_evaluate_counts_bad_rows_and_unknown_answers(
    call: Call, finished: Path, data_folder: Path, tmp_path: Path
) -> None:
    rows = (data_folder / "test.jsonl").read_text().splitlines()
    rows.append(json.dumps({"image": "nowhere.png", "question": "colour?", "answer": "red"}))
    rows.append(json.dumps({"image": "0.png", "question": "colour?", "answer": "mauve"}))
    (tmp_path / "some.jsonl").write_text("\n".join(rows))
    arguments = ("--data", tmp_path / "some.jsonl", "--images", data_folder / "images")
    code, out, err = call("evaluate", finished / "out", *arguments, "--json")
    assert (code, json.loads(out)["unknown_answers"], json.loads(out)["bad_rows"]) == (0, 1, 1)
    assert json.loads(out)["count"] == 13
    assert "nowhere.png: no such file" in err
    assert "1 of them have no answer the model could give" in call("evaluate", finished / "out", *arguments)[1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no records in it"),
        ('{"image": "none.png", "question": "q?", "answer": "x"}', "1 of 1 rows are bad"),
        ("[1, 2]", "expected a row of named fields"),
        ('{"image": "0.png", "question": "", "answer": "x"}', "question: '' is not a text"),
        ('{"image": "0.png", "question": "q?", "answers": {"x": -1}}', "counts above 0"),
        ('{"image": "0.png", "question": "q?", "answers": {"x": NaN}}', "counts above 0"),
        ('{"image": "0.png\\u0000", "question": "q?", "answer": "x"}', "cannot be read"),
        (None, "no such file"),
    ],
)
def test_evaluate_refuses_bad_files(
    text: str | None, said: str, call: Call, finished: Path, data_folder: Path, tmp_path: Path
) -> None:
    if text is not None:
        (tmp_path / "q.jsonl").write_text(text)
    answers = tmp_path / "answers.jsonl"
    answers.write_text("earlier")
    code, out, err = call(
        "evaluate", finished / "out", "--data", tmp_path / "q.jsonl", "--images", data_folder / "images",
        "--predictions", answers,
    )  # fmt: skip
    assert (code, out) == (2, "")
    assert said in err
    assert answers.read_text() == "earlier"


# Recipes --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_an_empty_part_is_refused(part: str, call: Call, tiny_recipe: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    code, _, err = call("run", tiny_recipe(data={part: str(tmp_path / "empty.jsonl")}))
    assert code == 2
    assert "empty.jsonl: no records in it" in err


def test_an_image_shared_under_another_name_is_found(
    call: Call, tiny_recipe: Callable[..., Path], data_folder: Path, tmp_path: Path
) -> None:
    shutil.copy(data_folder / "images" / "3.png", tmp_path / "other-name.png")
    row = {"image": "other-name.png", "question": "colour?", "answer": "red"}
    (tmp_path / "valid.jsonl").write_text(json.dumps(row))
    files = {"validation": str(tmp_path / "valid.jsonl"), "validation_images": str(tmp_path)}
    code, _, err = call("run", tiny_recipe(data=files))
    assert code == 2
    assert "train and validation share 1 image," in err
    assert "other-name.png" in err


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"budget": {"num_skip": 4}}, "num_skip: 4 of 4 blocks; at least one must be kept"),
        ({"budget": {"num_skip": 3}, "search": {"strategy": "policy", "candidates": 9}}, "there are only 4"),
        ({"search": {"max_steps": 22}}, "search.max_steps: 22 steps leave none of train's 22"),
        ({"budget": {"num_skip": None, "macs": -0.99}}, "macs: -0.99 cannot be met"),
        ({"data": {"images": __file__}}, "no such image folder"),
        ({"data": {"train": "/"}}, "cannot be read"),
        ({"output": __file__}, "is a file; name a directory"),
        ({"output": f"{__file__}/run"}, "cannot be made"),
        ({"output": "/proc/run"}, "cannot be made"),
        ({"output": "a\0b"}, "output: 'a\\x00b'"),
        ({"data": {"max_train": 1}}, "at least two different ones"),
        ({"data": {"least_answer_count": 1000}}, "at least two different ones"),
        ({"model": "no/such/model"}, "no such model or directory"),
    ],
)
def test_refused_before_any_work(changes, said: str, call: Call, tiny_recipe: Callable[..., Path]) -> None:
    recipe = tiny_recipe(**changes)
    code, out, err = call("run", recipe)
    assert (code, out) == (2, "")
    assert said in err
    assert not list(recipe.with_name("recipe-run").rglob("*.safetensors"))


def test_a_directory_of_another_family_is_refused(
    call: Call, tiny_recipe: Callable[..., Path], base_folder: Path, tmp_path: Path
) -> None:
    other = shutil.copytree(base_folder, tmp_path / "bert")
    BertConfig(hidden_size=32).save_pretrained(other)
    code, _, err = call("run", tiny_recipe(model=str(other)))
    assert code == 2
    assert "(model_type 'bert') is not a supported family; supported: vilt, meter, bridgetower" in err
    assert call("cost", other)[0] == 2


def test_several_typos_are_reported_at_once(call: Call, tiny_recipe: Callable[..., Path]) -> None:
    recipe = tiny_recipe(train={"epohcs": 3, "lerning_rate": 1}, serch={}, budget={"num_skp": 1}, start="serach")
    code, _, err = call("run", recipe)
    assert code == 2
    for name in ("epochs", "learning_rate", "search", "num_skip"):
        assert f"did you mean '{name}'?" in err
    assert "start: 'serach'; did you mean 'search'?" in err


ODD = ([], [1], {}, {"a": 1}, -1, "text", "", None, True, float("nan"), float("inf"), 10**30, 0.5, "a\0b")
FIELDS = list(Recipe.model_fields)
SECTIONS = {name: value for name, value in Recipe(output="o") if isinstance(value, Validated)}
NESTED = [f"{section}.{name}" for section, value in SECTIONS.items() for name in type(value).model_fields]


@pytest.mark.parametrize("name", [*FIELDS, *NESTED, "train.learning_rate_factors.head"])
def test_odd_values_are_refused_or_valid(name: str, tiny_recipe: Callable[..., Path]) -> None:
    recipe = tiny_recipe()
    plain = yaml.safe_load(recipe.read_text())
    for value in ODD:
        content = yaml.safe_load(yaml.safe_dump(plain))
        target = content
        *parents, last = name.split(".")
        for parent in parents:
            target = target.setdefault(parent, {})
        target[last] = value
        recipe.write_text(yaml.safe_dump(content))
        with contextlib.suppress(InputError):
            json.dumps(read_recipe(recipe).to_dict(), allow_nan=False)


@pytest.mark.parametrize("value", ["[]", "{a: 1}", "-1", "text", ".nan", ".inf", "!!python/object:x.Y {}", "{"])
@pytest.mark.parametrize("name", ["train.epochs", "preset", "bench.batch_sizes"])
def test_odd_overrides_end_with_a_sentence(name: str, value: str, call: Call, tiny_recipe) -> None:
    code, out, err = call("run", tiny_recipe(), "--set", f"{name}={value}")
    assert (code, out) == (2, "")
    assert name in err


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("nonsense", "expected name=value"),
        ("=3", "expected name=value"),
        ("train.=3", "train: 3 is not a mapping"),
        ("train.batch_size.x=2", "batch_size has no fields"),
        ("output.x=2", "output has no fields"),
        ("trian.epochs=2", "did you mean 'train'?"),
        ("data.train=nowhere.jsonl", "nowhere.jsonl: no such file"),
    ],
)
def test_nonsense_overrides_are_refused(override: str, said: str, call: Call, tiny_recipe) -> None:
    recipe = tiny_recipe()
    code, _, err = call("run", recipe, "--set", override)
    assert code == 2
    assert said in err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "expected a mapping"),
        (b"", "the file is empty"),
        (b"- a\n- b", "expected a mapping"),
        (b"only words", "found a text"),
        (b"2026-01-01", "found a text"),
        (b"true", "found a single value"),
        (b"output: [", "not valid YAML"),
        (b"\xff\xfe\x00", "not a UTF-8 text file"),
        (b"output: x\x00y", "not valid YAML"),
        (b"output: x\n1: 2\n? [a]\n: b", ""),
        (b"a: &a [*a]\noutput: *a", ""),
        (b"output: !!python/object/apply:os.getcwd []", "not valid YAML"),
        (None, "not a file"),
    ],
)
def test_files_that_are_no_recipes(content: bytes | None, said: str, call: Call, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.mkdir() if content is None else path.write_bytes(content)
    code, _, err = call("run", path)
    assert code == 2
    assert said in err
    assert "no such file or packaged recipe; did you mean 'easy-vqa-demo'?" in call("run", "easy-vqa-dmo")[2]


# Damaged runs ---------------------------------------------------------------------------------------------------------

EDITS: dict[str, Callable[[str], str]] = {
    "truncated": lambda text: text[: len(text) // 2],
    "a list": lambda text: "[]",
    "a number": lambda text: "3",
    "empty": lambda text: "",
    "no fields": lambda text: "{}",
}


@pytest.mark.parametrize("edit", list(EDITS))
@pytest.mark.parametrize("name", ["plan.json", "evaluation.json", "latency.json", "recipe.json", "logs/train.json"])
def test_a_damaged_file_of_a_run_is_named(name: str, edit: str, call: Call, run_copy: Path) -> None:
    path = run_copy / "out" / name
    path.write_text(EDITS[edit](path.read_text()))
    earlier = (run_copy / "out" / "results.json").read_bytes()
    code, out, err = call("run", run_copy / "tiny.yaml")
    assert (code, out) == (2, "")
    assert path.name in err or f"holds a run with another {Path(name).stem}" in err or name == "recipe.json"
    assert (run_copy / "out" / "results.json").read_bytes() == earlier


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("skipped", [["0"]], "skipped: "),
        ("skipped", ["9"], "no such block"),
        ("skipped", ["0", "1", "2", "3"], "must be named"),
        ("blocks", [1, 2], "blocks: "),
        ("blocks", ["0", "1", "2", "3", "4"], "preferences: "),
        ("preferences", "high", "preferences: "),
        ("preferences", {"0": "high"}, "preferences: "),
        ("colour", "red", "colour: unknown field"),
    ],
)
def test_an_edited_plan_is_refused(field: str, value: object, said: str, call: Call, run_copy: Path) -> None:
    path = run_copy / "out" / "plan.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    forget(run_copy / "out", "trained.safetensors", "evaluation.json")
    code, _, err = call("run", run_copy / "tiny.yaml")
    assert code == 2
    assert said in err


@pytest.mark.parametrize("damage", ["truncated", "empty", "other names", "other sizes", "not finite"])
@pytest.mark.parametrize("name", ["trained.safetensors", "searched.safetensors"])
def test_damaged_tensors_of_a_run_are_refused(name: str, damage: str, call: Call, run_copy: Path) -> None:
    path, trained = run_copy / "out" / name, run_copy / "out" / "trained.safetensors"
    state = load_file(trained)
    path.write_bytes(trained.read_bytes())  # runs of version 0.3 have searched.safetensors too
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "other names":
        save_file({f"{key}x": value for key, value in state.items()}, path)
    elif damage == "other sizes":
        save_file({key: torch.zeros(3) for key in state}, path)
    else:
        save_file({key: torch.full_like(value, float("nan")) for key, value in state.items()}, path)
    forget(run_copy / "out", "evaluation.json")
    if name == "searched.safetensors":  # what the final training starts from
        forget(run_copy / "out", "trained.safetensors", "recipe.json")
        content = yaml.safe_load((run_copy / "tiny.yaml").read_text())
        (run_copy / "tiny.yaml").write_text(yaml.safe_dump({**content, "start": "search"}))
        (run_copy / "out" / "recipe.json").write_text(json.dumps(read_recipe(run_copy / "tiny.yaml").to_dict()))
    code, out, err = call("run", run_copy / "tiny.yaml")
    assert (code, out) == (2, "")
    assert path.name in err


@pytest.mark.parametrize("edit", [*EDITS, "wrong types"])
def test_a_report_of_damaged_results_keeps_the_earlier_one(edit: str, call: Call, run_copy: Path) -> None:
    path, card = run_copy / "out" / "results.json", run_copy / "out" / "report.html"
    earlier = card.read_bytes()
    if edit == "wrong types":
        path.write_text(json.dumps({**json.loads(path.read_text()), "plan": {"blocks": 3}, "latency": [1]}))
    else:
        path.write_text(EDITS[edit](path.read_text()))
    code, out, err = call("report", run_copy / "out")
    assert (code, out) == (2, "")
    assert "results.json" in err
    assert card.read_bytes() == earlier


@pytest.mark.parametrize("field", ["base_config", "skip_config", "plan", "header_sha256", "architecture"])
@pytest.mark.parametrize("value", [None, {"hidden_size": "wide"}, {"block_width": 7}, "x", 3])
def test_an_edited_slim_configuration_is_refused(field: str, value: object, call: Call, run_copy, data_folder) -> None:
    path = run_copy / "out" / "slim" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    code, out, err = call("predict", run_copy / "out", data_folder / "images" / "0.png", "colour?")
    assert (code, out) == (2, "")
    assert "slim" in err


def test_pushing_an_export(call: Call, run_copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = call("export", run_copy / "out", tmp_path / "slim", "--push", "just-a-name")
    assert (code, out) == (2, "")
    assert "--push: 'just-a-name' is not the id of a repository" in err
    assert not (tmp_path / "slim").exists()
    asked: list[dict[str, object]] = []

    class Api:
        def __init__(self, token: str | None = None) -> None:
            pass

        def create_repo(self, repo_id: str, **options: object) -> None:
            if asked:
                raise ConnectionError("no route to host")
            asked.append({"repo_id": repo_id, **options})

        def upload_folder(self, **options: object) -> SimpleNamespace:
            return SimpleNamespace(commit_url="https://hub/user/name/commit/1")

    monkeypatch.setattr(hub, "HfApi", Api)
    arguments = ("export", run_copy / "out", tmp_path / "slim", "--push", "user/name", "--private")
    code, out, _ = call(*arguments)
    assert code == 0
    assert out.endswith("https://hub/user/name/commit/1\n")
    assert (asked[0]["repo_id"], asked[0]["private"]) == ("user/name", True)
    card = (tmp_path / "slim" / "README.md").read_text(encoding="utf-8")
    assert "| this model | test | accuracy |" in card
    assert "| this model | 1 |" in card, "the run has timed it"
    code, _, err = call(*arguments)
    assert code == 1
    assert "user/name: could not be uploaded (no route to host)" in err


def test_the_wrong_base_is_told_by_both_fingerprints(
    call: Call, base_folder: Path, task, data_folder: Path, tmp_path: Path
) -> None:
    model = insert(load_model(str(base_folder), task.model_class, **task.model_changes()), SkipConfig())
    export(model, tmp_path / "slim", task=task, form="adapters")
    load_model("vilt-tiny", task.model_class, seed=5, **task.model_changes()).save_pretrained(tmp_path / "other")
    expected = json.loads((tmp_path / "slim" / "config.json").read_text())["base_fingerprint"]
    image = data_folder / "images" / "0.png"
    assert call("predict", tmp_path / "slim", image, "colour?")[0] == 0
    code, out, err = call("predict", tmp_path / "slim", image, "colour?", "--base", tmp_path / "other")
    assert (code, out) == (2, "")
    assert f"expected fingerprint {expected}, found " in err
    code, _, err = call("predict", tmp_path / "slim", image, "colour?", "--base", tmp_path / "nowhere")
    assert code == 2
    assert "no such model or directory" in err


# Failing work ---------------------------------------------------------------------------------------------------------


def test_a_loss_that_is_not_finite_ends_the_run(
    call: Call, tiny_recipe: Callable[..., Path], base_folder: Path, tmp_path: Path
) -> None:
    broken = shutil.copytree(base_folder, tmp_path / "broken")
    state = load_file(broken / "model.safetensors")
    bias = state["vilt.encoder.layer.0.output.dense.bias"]
    recipe = tiny_recipe(model=str(broken))
    for value, expected in ((float("nan"), 2), (3e38, 1)):
        bias[0] = value
        save_file(state, broken / "model.safetensors", metadata={"format": "pt"})
        code, out, err = call("run", recipe)
        assert (code, out) == (expected, "")
        assert expected == 1 or f"{broken}: NaN or infinity in 1 weights: vilt.encoder.layer.0.output.dense.bias" in err
    assert re.search(
        r"failed: (the loss is nan at step|a validation loss is not finite).*lower train.learning_rate", err
    )
    assert not list(recipe.with_name("recipe-run").glob("*.safetensors"))


def _on_a_full_disk(limit: int, arguments: list[str]) -> None:
    sys.dont_write_bytecode = True
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    done = skiptune(*arguments)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    sys.stderr.write(done.stderr)
    sys.exit(done.returncode)


@pytest.mark.parametrize("limit", [200, 4_000, 40_000])
def test_a_full_disk_ends_with_a_sentence_and_the_earlier_files(limit: int, run_copy: Path, tmp_path: Path) -> None:
    folder = run_copy / "out"
    forget(folder, "evaluation.json", "latency.json")
    kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "SHA256SUMS"}

    arguments = ("export", folder, tmp_path / "slim") if limit == 40_000 else ("run", run_copy / "tiny.yaml")
    done = OwnProcess(_on_a_full_disk, limit, [str(each) for each in arguments]).ended()
    assert done.returncode == 1, done.stderr
    assert "failed: " in done.stderr
    assert "could not be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert {path: path.read_bytes() for path in kept} == kept
    assert not [path for path in (*folder.rglob("*"), *tmp_path.glob("*")) if path.suffix in (".tmp", ".old")]
    assert not (tmp_path / "slim").exists()


def test_too_large_for_memory_is_a_sentence(call: Call) -> None:
    code, _, err = call("cost", "vilt-tiny", "--image-size", "16000000x16000000")
    assert code == 1
    assert "memory" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("cost", "vilt-tiny", "--image-size", "48"), "is not HEIGHTxWIDTH"),
        (("cost", "vilt-tiny", "--image-size", "0x0"), "must be multiples of 16"),
        (("cost", "vilt-tiny", "--text-length", "0"), "text length 0"),
        (("cost", "vilt-tiny", "--text-length", "9999"), "text length 9999"),
        (("cost", "vilt-tiny", "--skip", "0,9"), "'9': no such block"),
        (("cost", "vilt-tiny", "--skip", "0,1,2,3"), "must be named"),
        (("cost", "vilt-tiny", "--adapters", "lorra"), "did you mean 'lora'"),
        (("cost", "vilt-tinny"), "did you mean 'vilt-tiny'"),
        (("predict", "nowhere", __file__, "q?"), "cannot be read"),
        (("evaluate", "nowhere", "--data", "easy-vqa"), "nowhere: not a slim model"),
        (("evaluate", "nowhere", "--data", "q.jsonl"), "--images: the folder of the images is missing"),
        (("export", "nowhere", "slim"), "not the directory of a run"),
        (("export", "nowhere", "slim", "--form", "onnx"), "valid: standalone, adapters"),
        (("export", "nowhere", "slim", "--private"), "--private: only with --push"),
        (("report", "nowhere"), "no such file"),
        (("evaluate", "nowhere", "--data", "q.jsonl", "--batch-size", "1000000000"), "65536"),
        (("report", __file__), "test_bad_input.py: not the directory of a run"),
        (("search", "nowhere.yaml"), "no such file or packaged recipe"),
        (("train",), "Missing argument"),
        (("run", "easy-vqa-demo", "--epochs", "3"), "No such option"),
        (("dance",), "No such command"),
    ],
)
def test_wrong_arguments(arguments: tuple[str, ...], said: str, call: Call) -> None:
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert said in err


def test_ctrl_c_says_that_the_same_command_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(json, "dumps", interrupt)
    monkeypatch.setattr(sys, "argv", ["skiptune", "models", "--json"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 130
    assert capsys.readouterr().err == "stopped; run the same command again to go on\n"
