"""ONNX: the same numbers as torch at every size, through every command, and a refusal of what does not fit.

Tracing a model takes seconds whatever its size, so few are traced: every family and every kind of head once.
"""

from __future__ import annotations

import importlib
import json
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from transformers import PreTrainedModel

import skiptune
from conftest import Call, draw_square
from docs_pages import PAGES
from skiptune import (
    Classification,
    InputError,
    Plan,
    Record,
    Retrieval,
    RunError,
    SkipConfig,
    Vqa,
    blocks_of,
    evaluate,
    export,
    export_onnx,
    insert,
    load,
    load_model,
    load_onnx,
    load_processor,
    load_task,
)
from skiptune.cli.main import main
from skiptune.costs.latency import compare_latency
from skiptune.data.pictures import decode
from skiptune.exporting.backends import load_backend
from skiptune.exporting.onnx import write as onnx_module
from skiptune.exporting.onnx.outside_use import OutsideUse
from skiptune.exporting.onnx.triton import export_triton
from skiptune.models.loading import load_config
from triton_server import served, tensors

LENGTHS, IMAGES = (2, 9), (1, 2)


def slim_model(family: str, task: str | Vqa, seed: int = 0, **changes: Any) -> tuple[PreTrainedModel, Plan]:
    """A tiny model all of whose weights do something (a new ViLT's positions are zero), and a plan that skips its first
    block.
    """
    head = task if isinstance(task, str) else task.model_class
    model = insert(load_model(f"{family}-tiny", head, seed=seed, **changes), SkipConfig())
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=generator)
    blocks = tuple(blocks_of(model))
    return model.eval(), Plan(family, blocks, blocks[:1])


def relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())


def cut(batch: dict[str, Tensor], images: int, length: int) -> dict[str, Tensor]:
    """The first images of a batch, and the first tokens of every text."""
    texts = ("input_ids", "attention_mask")
    return {name: value[:images, ..., :length] if name in texts else value[:images] for name, value in batch.items()}


@pytest.fixture(scope="module")
def slim(task: Vqa, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A slim ViLT for the coloured squares."""
    model, plan = slim_model("vilt", task, num_hidden_layers=2, **task.model_changes())
    return export(model, tmp_path_factory.mktemp("slim") / "slim", plan, task)


@pytest.fixture(scope="module")
def exported(slim: Path) -> Path:
    """The same as ONNX alone, in both precisions."""
    return export_onnx(slim, slim.with_name("onnx"), int8=True)


@pytest.fixture
def traced(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Further exports of the same slim model take its graph from the first."""

    def copy(model: nn.Module, graph: Any, path: Path, large: bool) -> None:
        shutil.copyfile(exported / "model.onnx", path)

    monkeypatch.setattr(onnx_module, "trace", copy)


def test_outputs_are_those_of_torch_at_other_sizes(slim: Path, exported: Path, batch: dict[str, Tensor]) -> None:
    torch_model, model = load(slim), load_onnx(exported)
    with torch.no_grad():
        for images in (*IMAGES, len(batch["labels"])):
            for length in LENGTHS:
                part = cut(batch, images, length)
                found, expected = model(**part), torch_model(**part)
                assert relative(found.logits, expected.logits) < 1e-5
                torch.testing.assert_close(found.loss, expected.loss)
        square = {name: value for name, value in batch.items() if name != "pixel_mask"}
        assert relative(model(**square).logits, torch_model(**square).logits) < 1e-5


def test_onnx_json_is_enough_for_a_program_without_skiptune(
    slim: Path, exported: Path, task: Vqa, records: list[Record]
) -> None:
    """NumPy, onnxruntime, and the classes of transformers that the file names."""
    import numpy as np
    import onnxruntime

    use = json.loads((exported / "onnx.json").read_text(encoding="utf-8"))["use"]

    def named(place: str) -> Any:
        module, _, name = place.rpartition(".")
        return getattr(importlib.import_module(module), name).from_pretrained(exported)

    asked = [records[0], records[9]]
    texts = named(use["processor"]["tokenizer"])(
        [record.text for record in asked],
        padding=True, truncation=True, max_length=use["processor"]["longest_text"], return_tensors="np",
    )  # fmt: skip
    images = named(use["processor"]["images"])([Image.open(record.image) for record in asked], return_tensors="pt")
    made = {"tokenizer": texts, "images": {name: value.numpy() for name, value in images.items()}}
    given = {name: made[entry["made_by"]][name].astype(entry["type"]) for name, entry in use["inputs"].items()}
    session = onnxruntime.InferenceSession(exported / "model.onnx")
    assert {entry.name for entry in session.get_inputs()} == given.keys()
    (logits,) = session.run(list(use["outputs"]), given)
    output = use["outputs"]["logits"]
    assert output["activation"] == "sigmoid"
    assert (list(logits.shape), output["shape"]) == ([2, 4], ["batch", 4])
    model = load(slim)
    for row, record in zip(1 / (1 + np.exp(-logits)), asked, strict=True):
        wanted = skiptune.predict(model, task, record.image, record.text, top=1)
        assert output["labels"][int(row.argmax())] == wanted.answer
        assert float(row.max()) == pytest.approx(wanted.probability, abs=2e-3)  # pixels are not rounded to bytes
    card = (exported / "README.md").read_text(encoding="utf-8")
    for said in ("model.onnx and model-int8.onnx", "st.pipeline(", "There are no weights for torch here"):
        assert said in card
    assert "AutoModel` of transformers reads it too" not in card
    with pytest.raises(InputError, match=r"slim\.safetensors: no such file"):
        load(exported)


@pytest.mark.parametrize("int8", [False, True])
def test_what_triton_is_told_is_what_the_file_says(int8: bool, exported: Path, task: Vqa, tmp_path: Path) -> None:
    import numpy as np
    import onnxruntime

    folder = export_triton(exported, tmp_path / "models" / "squares", int8)
    config = (folder / "config.pbtxt").read_text(encoding="utf-8")
    session = onnxruntime.InferenceSession(folder / "1" / "model.onnx")
    for block, entries in (("input", session.get_inputs()), ("output", session.get_outputs())):
        wanted = {
            entry.name: (entry.type, [length if isinstance(length, int) else -1 for length in entry.shape[1:]])
            for entry in entries
        }
        assert all(isinstance(entry.shape[0], str) for entry in entries)  # Triton adds the batch
        assert {name: found[:2] for name, found in tensors(config, block).items()} == wanted
    assert (folder / "labels.txt").read_text(encoding="utf-8").splitlines() == list(task.answers)
    assert tensors(config, "output")["logits"][1:] == ([len(task.answers)], "labels.txt")
    most = int(re.findall(r"^max_batch_size: (\d+)$", config, re.MULTILINE)[0])
    sizes = {"input_ids": (7,), "attention_mask": (7,), "pixel_values": (3, 48, 48), "pixel_mask": (48, 48)}
    given = {
        entry.name: np.ones((most, *sizes[entry.name]), np.float32 if "float" in entry.type else np.int64)
        for entry in session.get_inputs()
    }
    assert session.run(None, given)[0].shape == (most, len(task.answers))
    assert {path.name for path in folder.iterdir()} == {"1", "client", "config.pbtxt", "labels.txt"}
    assert (folder / "1" / "model.onnx").stat().st_size == (exported / f"model{'-int8' * int8}.onnx").stat().st_size


@pytest.mark.usefixtures("traced")
def test_a_client_of_triton_gets_the_answers(
    slim: Path, task: Vqa, records: list[Record], tmp_path: Path, call: Call
) -> None:
    """The one of the guide."""
    page = next(page for page in PAGES if page.name == "docs/guides/other-servers.md")
    names: dict[str, Any] = {}
    for text in page.of_kind("python"):
        exec(compile(text, page.name, "exec"), names)
    turned = Image.Exif()
    turned[0x0112] = 6
    picture = Image.new("RGBA", (6, 4), (200, 30, 30, 255))
    picture.paste((0, 0, 0, 0), (0, 0, 3, 2))
    picture.save(tmp_path / "turned.png", exif=turned)
    assert names["opened"](tmp_path / "turned.png").tobytes() == decode(tmp_path / "turned.png").tobytes()
    for _ in range(2):  # an earlier one is replaced
        code, out, err = call("export", slim, tmp_path / "models" / "squares", "--triton")
        assert (code, "MiB" in out) == (0, True), err
    with served(tmp_path / "models") as address:
        ask = names["client"](tmp_path / "models" / "squares", address)
        model = load(slim)
        for record in (records[0], records[9]):
            assert ask(record.image, record.text) == skiptune.predict(model, task, record.image, record.text).answer
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.pbtxt").write_text('backend: "python"')
    with pytest.raises(InputError, match="mine: holds something else than a model for Triton"):
        export_triton(slim, tmp_path / "mine")
    code, _, err = call("export", slim, tmp_path / "hub", "--triton", "--push", "user/name")
    assert (code, "leave out --triton" in err) == (2, True)


@pytest.mark.parametrize("name", ["clip-tiny", "siglip-tiny"])
def test_onnx_json_says_how_texts_are_padded(name: str) -> None:
    """SigLIP attends to what fills its texts up, so that another length or a mask gives other numbers."""
    own = Classification(load_processor(name), ["a", "b"])
    shapes = {part: ["batch", "tokens"] for part in ("input_ids", "attention_mask")}
    graph: Any = SimpleNamespace(head="vqa", shapes=lambda: shapes)
    use = OutsideUse.of(load_model(name, own.model_class, **own.model_changes()), own, graph)
    texts, settings = ["a", "another one"], use.processor
    made = own.processor.tokenizer(
        texts, padding=settings.padding, max_length=settings.longest_text, truncation=True, return_tensors="pt"
    )
    if use.inputs["attention_mask"].made_by == "ones":
        made["attention_mask"] = torch.ones_like(made["input_ids"])
    for part, wanted in own.tokenize(texts).items():
        assert torch.equal(made[part], wanted)


def test_long_and_tiny_pictures_are_answered_as_by_torch(slim: Path, exported: Path, task: Vqa) -> None:
    torch_model, model = load(slim), load_onnx(exported)
    for size in ((1, 1), (300, 1), (1, 300), (1100, 100)):
        batch = {**task.tokenize(["colour?"]), **task.images.batch([Image.new("RGB", size, "red")])}
        with torch.no_grad():
            assert relative(model(**batch).logits, torch_model(**batch).logits) < 1e-5


def test_eight_bits_are_near_and_smaller(slim: Path, exported: Path, batch: dict[str, Tensor]) -> None:
    with torch.no_grad():
        difference = relative(load_onnx(exported, "onnx-int8")(**batch).logits, load(slim)(**batch).logits)
    assert 1e-5 < difference < 0.1
    whole, small = ((exported / name).stat().st_size for name in ("model.onnx", "model-int8.onnx"))
    assert small < whole


def test_the_directory_says_what_it_takes_and_nothing_of_this_machine(exported: Path) -> None:
    description = json.loads((exported / "onnx.json").read_text())
    assert description["inputs"]["pixel_mask"] == ["batch", "height", "width"]
    assert description["inputs"]["input_ids"] == ["batch", "tokens"]
    found = description["models"]["onnx"]
    assert found["relative_difference"] < 1e-5
    assert len({tuple(part["shapes"]["input_ids"]) for part in found["batches"]}) == 4
    assert not list(exported.glob("*.safetensors"))
    package = str(Path(skiptune.__file__).parent).encode()
    assert not any(package in file.read_bytes() for file in exported.iterdir())


@pytest.mark.parametrize("backend", [None, "onnx", "onnx-int8"])
def test_commands_run_it(
    backend: str | None,
    slim: Path,
    exported: Path,
    data_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    image = str(data_folder / "images" / "3.png")
    given = ["--data", str(data_folder / "test.jsonl"), "--images", str(data_folder / "images")]

    def call(command: str, folder: Path, *arguments: str) -> Any:
        monkeypatch.setattr(sys, "argv", ["skiptune", command, str(folder), *arguments, "--json"])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        return json.loads(capsys.readouterr().out)

    options = [] if backend is None else ["--backend", backend]
    close = {"abs": 0.05 if backend == "onnx-int8" else 1e-5}
    found, expected = (call("evaluate", folder, *given, *more) for folder, more in ((exported, options), (slim, [])))
    assert found["loss"] == pytest.approx(expected["loss"], **close)
    assert (found["count"], found.keys()) == (12, expected.keys())
    answers, wanted = (
        {row["answer"]: row["probability"] for row in call("predict", folder, image, "what colour is it?", *more)}
        for folder, more in ((exported, options), (slim, []))
    )
    assert answers == pytest.approx(wanted, **close)
    output = tmp_path / "answers.jsonl"
    assert call("predict", exported, *given, *options, "--output", str(output))["rows"] == 12
    assert '"error": null' in output.read_text(encoding="utf-8").splitlines()[-1]


@pytest.mark.usefixtures("traced")
def test_beside_the_torch_weights(slim: Path, tmp_path: Path, batch: dict[str, Tensor]) -> None:
    both = Path(shutil.copytree(slim, tmp_path / "both"))
    export_onnx(both)
    assert (both / "slim.safetensors").read_bytes() == (slim / "slim.safetensors").read_bytes()
    assert isinstance(load_backend(both), PreTrainedModel)
    assert relative(load_backend(both, "onnx")(**batch).logits, load(slim)(**batch).logits) < 1e-5
    with pytest.raises(InputError, match="nothing for 'onnx-int8', only for torch, onnx"):
        load_backend(both, "onnx-int8")
    with pytest.raises(InputError, match="did you mean 'onnx'"):
        load_backend(both, "onxx")
    with pytest.raises(InputError, match="stands alone and takes none"):
        load_backend(both, "onnx", base="vilt-scenes")


@pytest.mark.usefixtures("traced")
def test_another_graph_is_refused_and_what_was_there_is_kept(task: Vqa, slim: Path, tmp_path: Path) -> None:
    model, plan = slim_model("vilt", task, seed=5, num_hidden_layers=2, **task.model_changes())
    shutil.copytree(slim, tmp_path / "out")
    before = (tmp_path / "out" / "config.json").read_bytes()
    with pytest.raises(RunError, match=r"differ from torch's by \S+ relative, allowed are 1e-04"):
        export_onnx(model, tmp_path / "out", plan=plan, task=task)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "config.json").read_bytes() == before


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_a_library_that_is_missing_is_named_with_its_extra(
    missing: str, slim: Path, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(InputError, match=rf'{missing} is not installed; run: pip install "skiptune\[onnx\]"'):
        export_onnx(slim, tmp_path / "out")
    if missing == "onnxruntime":
        with pytest.raises(InputError, match="onnxruntime is not installed"):
            load_onnx(exported)
    else:
        load_onnx(exported)


@pytest.mark.parametrize("damage", ["truncated", "gone", "description", "no description"])
def test_damaged_files_are_refused(damage: str, exported: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(exported, tmp_path / "copy"))
    model, description = folder / "model.onnx", folder / "onnx.json"
    if damage == "truncated":
        model.write_bytes(model.read_bytes()[:-100])
    elif damage == "gone":
        model.unlink()
    elif damage == "description":
        description.write_text(description.read_text().replace('"inputs"', '"imputs"'))
    else:
        description.unlink()
    with pytest.raises(InputError, match=r"model\.onnx|onnx\.json"):
        load_onnx(folder)


def test_what_cannot_be_exported(slim: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a slim model"):
        export_onnx(tmp_path, tmp_path / "out")
    (tmp_path / "file").write_text("")
    for target, reason in ((tmp_path, "holds something else"), (tmp_path / "file", "a file is in the way")):
        with pytest.raises(InputError, match=reason):
            export_onnx(slim, target)
    with pytest.raises(InputError, match="a model needs one"):
        export_onnx(slim_model("vilt", "vqa")[0])


def test_inputs_that_do_not_fit(exported: Path, batch: dict[str, Tensor]) -> None:
    model = load_onnx(exported)
    with pytest.raises(InputError, match="needs images"):
        model(batch["input_ids"])
    with pytest.raises(InputError, match="multiples of 16"):
        model(batch["input_ids"], pixel_values=batch["pixel_values"][..., :40])
    long = batch["input_ids"][:1].repeat(1, 20)
    with pytest.raises(RunError, match="onnxruntime fails"):
        model(long, pixel_values=batch["pixel_values"][:1])


@pytest.mark.slow
def test_retrieval_with_weights_beside_the_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = []
    for number in range(4):
        colour = draw_square(tmp_path / f"{number}.png", number)
        captions = tuple(f"a {colour} square" + ", again" * more for more in range(1 + number % 2))
        records.append(Record(tmp_path / f"{number}.png", captions=captions))
    task = Retrieval.from_records(load_processor("vilt-tiny"), records, false_texts=2)
    model, plan = slim_model("vilt", "retrieval", num_hidden_layers=2)
    monkeypatch.setattr(onnx_module, "_LARGE", 0)
    found = export_onnx(model, tmp_path / "onnx", plan=plan, task=task)
    assert (found / "model.onnx").stat().st_size < (found / "model.onnx.data").stat().st_size
    torch_model, onnx_model = load(export(model, tmp_path / "slim", plan, task)), load_onnx(found)
    ours, expected = (
        evaluate(one, load_task(found, torch_model), records, batch_size=2) for one in (onnx_model, torch_model)
    )
    assert ours.metrics == expected.metrics
    assert ours.loss == pytest.approx(expected.loss, rel=1e-4)
    times = compare_latency({"torch": torch_model, "onnx": onnx_model}, task.collate(records[:2]), repeats=2)
    assert all(taken.median_s > 0 for taken in times.values())
    (found / "model.onnx.data").write_bytes(b"")
    with pytest.raises(InputError, match=r"model\.onnx\.data: differs"):
        load_onnx(found)


def few_layers(family: str, count: int) -> dict[str, Any]:
    """Configuration of a small model."""
    config = load_config(f"{family}-tiny")
    config.text_config.num_hidden_layers = config.vision_config.num_hidden_layers = count
    layers = "num_top_layers" if family == "meter" else "num_hidden_layers"
    return {"text_config": config.text_config, "vision_config": config.vision_config, layers: count}


@pytest.mark.parametrize(
    ("family", "head", "layers"),
    [("meter", "reasoning", 1), ("bridgetower", "entailment", 2)],
)
@pytest.mark.slow
def test_two_streams(family: str, head: str, layers: int, tmp_path: Path) -> None:
    model, plan = slim_model(family, head, num_labels=3, **few_layers(family, layers))
    onnx_model, slim = (
        load_onnx(export_onnx(model, tmp_path / "onnx", plan=plan)),
        load(export(model, tmp_path / "slim", plan)),
    )
    generator = torch.Generator().manual_seed(0)
    pair = (2,) if head == "reasoning" else ()
    batch = {
        "input_ids": torch.randint(4, 260, (2, 9), generator=generator),
        "attention_mask": torch.ones(2, 9, dtype=torch.long),
        "pixel_values": torch.randn((2, *pair, 3, 48, 48), generator=generator),
        "labels": torch.tensor([0, 2]),
    }
    batch["attention_mask"][1, 6:] = 0
    batch["input_ids"][batch["attention_mask"] == 0] = 1
    with torch.no_grad():
        for images in IMAGES:
            for length in LENGTHS:
                found, expected = (one(**cut(batch, images, length)) for one in (onnx_model, slim))
                assert relative(found.logits, expected.logits) < 1e-5
                torch.testing.assert_close(found.loss, expected.loss)
    with pytest.raises(InputError, match=r"exported for images of \(48, 48\)"):
        onnx_model(batch["input_ids"], pixel_values=batch["pixel_values"][..., :32])
    with pytest.raises(InputError, match="pixel_mask"):
        onnx_model(**batch, pixel_mask=torch.zeros(2, 48, 48))
