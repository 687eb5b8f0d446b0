"""Odd values in ``config.json``, image settings and tokenizers are a sentence when they are read, never a traceback."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from skiptune import (
    Entailment,
    Experiment,
    InputError,
    Reasoning,
    Record,
    Retrieval,
    SkipConfig,
    TrainConfig,
    Vqa,
    evaluate,
    export,
    fit,
    insert,
    load,
    load_model,
    load_processor,
    load_task,
    predict,
)
from skiptune.models.config_check import refuse_odd_config
from skiptune.tasks.task import Task

FAMILIES = ("vilt", "meter", "bridgetower")
LONG = "is it a very long question that has no end? " * 40


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model of every family with its processor, whose tokenizer allows more positions than the model has."""
    found = {}
    for family in FAMILIES:
        folder = found[family] = tmp_path_factory.mktemp("settings") / family
        load_model(f"{family}-tiny", "vqa", num_labels=2).save_pretrained(folder)
        processor = load_processor(f"{family}-tiny")
        processor.tokenizer.model_max_length = 10**30 if family == "vilt" else 512
        processor.save_pretrained(folder)
    return found


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("picture") / "a.png"
    Image.new("RGB", (60, 48), (200, 30, 30)).save(path)
    return path


def change(folder: Path, name: str, path: str, value: object) -> None:
    content = json.loads((folder / name).read_text())
    *parents, last = path.split(".")
    target = content
    for parent in parents:
        target = target[parent]
    target[last] = value
    (folder / name).write_text(json.dumps(content))


FIELDS = [
    ("vilt", "hidden_size", "x"),
    ("vilt", "hidden_size", 10**9),
    ("vilt", "num_hidden_layers", 10**6),
    ("vilt", "num_labels", 10**30),
    ("vilt", "id2label", "x"),
    ("vilt", "id2label", {"one": "a"}),
    ("vilt", "hidden_act", "none"),
    ("vilt", "image_size", 0),
    ("vilt", "layer_norm_eps", float("nan")),
    ("vilt", "max_image_length", 0),
    ("vilt", "vocab_size", -1),
    ("vilt", "dtype", "x"),
    ("vilt", "model_type", []),
    ("vilt", "quantization_config", {"load_in_4bit": True}),
    ("vilt", "transformers_weights", "../other.safetensors"),
    ("vilt", "fusion_config", {"patch_embeddings": True}),
    ("meter", "text_config", "x"),
    ("meter", "matching_loss", "false"),
    ("vilt", "qkv_bias", 0),
    ("meter", "text_config.vocab_size", None),
    ("meter", "vision_config.patch_size", 10**30),
    ("meter", "num_attention_heads", 3),
    ("bridgetower", "vision_config.remove_last_layer", True),
    ("bridgetower", "text_config.num_hidden_layers", 1.5),
]


@pytest.mark.parametrize(("family", "field", "value"), FIELDS, ids=[f"{f}-{n}-{v!r}"[:60] for f, n, v in FIELDS])
def test_configurations(family: str, field: str, value: object, bases: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(bases[family], tmp_path / "model")
    change(folder, "config.json", field, value)
    with pytest.raises(InputError) as refused:
        load_model(str(folder), "vqa", num_labels=2)
    assert str(folder) in str(refused.value)
    assert len(str(refused.value)) < 700


def test_image_sizes_may_be_pairs() -> None:
    refuse_odd_config({"vision_config": {"image_size": [448, 448], "patch_size": [14, 14]}}, "here")
    for odd in ([448], [448, 0], ["448", 448]):
        with pytest.raises(InputError, match=r"vision_config\.image_size"):
            refuse_odd_config({"vision_config": {"image_size": odd}}, "here")


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"null", b"\xff\xfe", b'{"a": 1, "a": 2}', b"[" * 5000, b"{}", b"7", b"\xef\xbb\xbf{}"]
)
def test_files_that_are_no_configurations(content: bytes, bases: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(bases["vilt"], tmp_path / "model")
    (folder / "config.json").write_bytes(content)
    for read in (load_processor, lambda name: load_model(name, "vqa")):
        with pytest.raises(InputError, match=str(folder)):
            read(str(folder))


SETTINGS = [
    ("image_mean", "x"),
    ("image_mean", [0.5]),
    ("image_std", [0, 0, 0]),
    ("rescale_factor", None),
    ("size", {"shortest_edge": 10**9}),
    ("size", {"longest_edge": 48}),
    ("size", []),
    ("resample", 77),
    ("size_divisor", 0),
]


@pytest.mark.parametrize(("field", "value"), SETTINGS, ids=[f"{name}-{value!r}" for name, value in SETTINGS])
def test_image_settings(field: str, value: object, bases: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(bases["vilt"], tmp_path / "model")
    change(folder, "processor_config.json", f"image_processor.{field}", value)
    with pytest.raises(InputError, match=str(folder)):
        load_processor(str(folder))


@pytest.mark.parametrize("damage", ["missing", "truncated", "words", "limit", "padding", "other"])
def test_tokenizers(damage: str, bases: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(bases["vilt"], tmp_path / "model")
    words = folder / "tokenizer.json"
    if damage == "missing":
        words.unlink()
    elif damage == "truncated":
        words.write_bytes(words.read_bytes()[:500])
    elif damage == "words":
        change(folder, "tokenizer.json", "model.vocab", {"a": 1})
    elif damage == "limit":
        change(folder, "tokenizer_config.json", "model_max_length", "x")
    elif damage == "padding":
        change(folder, "tokenizer_config.json", "pad_token", None)
    else:
        change(folder, "config.json", "vocab_size", 100)
    with pytest.raises(InputError, match=str(folder)):
        load_processor(str(folder))


def tasks(processor: Any, picture: Path, other: Path) -> list[tuple[Task, list[Record]]]:
    """Every task, with two records of a very long text."""
    captions = [Record(picture, captions=(LONG,)), Record(other, captions=("no",))]
    retrieval = Retrieval.from_records(processor, captions)
    retrieval.false_texts = 1
    return [
        (Vqa(processor, ["a", "b"]), [Record(picture, LONG, {"a": 1.0})] * 2),
        (Entailment(processor), [Record(picture, LONG, label=1)] * 2),
        (Reasoning(processor), [Record(picture, LONG, image2=picture, label=1)] * 2),
        (retrieval, captions),
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_texts_are_cut_at_the_models_positions(
    family: str, bases: dict[str, Path], picture: Path, tmp_path: Path
) -> None:
    """In training, evaluation and prediction, with a model's own processor, one from elsewhere, and a slim model's."""
    Image.new("RGB", (48, 48), (10, 30, 200)).save(tmp_path / "b.png")
    own, other = load_processor(str(bases[family])), load_processor(str(bases[family]))
    other.tokenizer.model_max_length = 10_000
    for processor in (own, other):
        for task, records in tasks(processor, picture, tmp_path / "b.png")[: 4 if processor is other else 1]:
            changes = task.model_changes()
            model = insert(load_model(str(bases[family]), task.model_class, quiet=True, **changes), SkipConfig())
            if processor is other:
                fit(model, Experiment(task, records, training=TrainConfig(max_steps=1, batch_size=2)))
            evaluate(model, task, records)
            if not isinstance(task, Reasoning):
                assert predict(model, task, picture, LONG)
    vqa = Vqa(other, ["a", "b"])
    model = insert(load_model(str(bases[family]), "vqa", quiet=True, **vqa.model_changes()), SkipConfig())
    slim = export(model, tmp_path / "slim", task=vqa)
    read = load(slim)
    saved = load_task(slim, read)
    assert len(predict(read, saved, picture, LONG)) == 2
    assert torch.equal(saved.tokenize([LONG])["input_ids"], vqa.with_processor(own).tokenize([LONG])["input_ids"])
