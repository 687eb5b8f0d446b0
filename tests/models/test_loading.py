"""The embedded model is small, whole and documented; other names are found or refused with a sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import load_file
from transformers import AutoProcessor, BertConfig, LlavaForConditionalGeneration, ViltForQuestionAnswering

from skiptune import InputError, SkipConfig, blocks_of, insert, load_model, load_processor
from skiptune.models.architectures import ARCHITECTURES
from skiptune.models.embedded import EMBEDDED, embedded_path
from skiptune.models.fingerprint import fingerprint
from skiptune.models.loading import load_family, source_of

LIMITS = {"vilt-scenes": 8 * 2**20, "llava-scenes": 10 * 10**6, "meter-photos": 40 * 10**6}
TASKS = {"llava-scenes": "generation"}
EMBEDDED_NAMES = [
    pytest.param(name, marks=pytest.mark.skipif(not model.installed, reason=f"{model.distribution} is not installed"))
    for name, model in EMBEDDED.items()
    if model.needs is None
]


@pytest.mark.parametrize("name", EMBEDDED_NAMES)
def test_embedded_models_are_small_and_of_half_precision(name: str) -> None:
    folder = embedded_path(name)
    assert sum(file.stat().st_size for file in folder.iterdir()) <= LIMITS[name]
    assert {value.dtype for value in load_file(folder / "model.safetensors").values()} == {torch.float16}


@pytest.mark.parametrize("name", EMBEDDED_NAMES)
def test_embedded_models_tell_how_they_were_made(name: str) -> None:
    found = json.loads((embedded_path(name) / "pretraining.json").read_text())
    assert found["seconds"]
    if name in TASKS:
        assert 0.8 < min(found["exact_match"][kind] for kind in ("color", "shape", "presence", "absence")) <= 1
        assert found["config"]["width"] == load_model(name, TASKS[name]).config.text_config.hidden_size
        return
    assert 0.5 < found["itm_accuracy"] <= 1  # chance is a half
    assert 0.1 < found["mlm_accuracy"] <= 1
    assert found["config"]["width"] == load_model(name, "vqa").config.hidden_size


@pytest.mark.parametrize("name", EMBEDDED_NAMES)
def test_embedded_models_load_with_their_body(name: str) -> None:
    model = load_model(name, TASKS[name]) if name in TASKS else load_model(name, "vqa", num_labels=5)
    saved = load_file(embedded_path(name) / "model.safetensors")
    if name in TASKS:  # transformers writes other names than it reads into
        saved = type(model).from_pretrained(embedded_path(name)).state_dict()
    prefix = load_family(name).base_prefix
    body = {key: value for key, value in model.state_dict().items() if key.startswith(prefix)}
    assert body.keys() <= saved.keys() | {key for key in body if key.endswith("position_ids")}
    assert all(torch.equal(value, saved[key].float()) for key, value in body.items() if key in saved)
    assert len(blocks_of(insert(model, SkipConfig(block_adapter="lora")))) == 12
    assert load_processor(name).tokenizer("what color is the circle?")["input_ids"]


def test_what_smol_photos_learnt_is_small_and_sees_photographs() -> None:
    """Its language model and its tower lie elsewhere."""
    folder = EMBEDDED["smol-photos"].path
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 15 * 10**6
    assert {value.dtype for value in load_file(folder / "learnt.safetensors").values()} == {torch.float16}
    found = json.loads((folder / "pretraining.json").read_text())
    assert found["perplexity"] < 0.8 * found["wrong_photograph"]
    assert len(found["captions_written"]) == 10
    assert load_processor("smol-photos").tokenizer.convert_tokens_to_ids("<image>") == 49152


@torch.inference_mode()
def test_the_embedded_decoder_answers_by_transformers_alone() -> None:
    folder = embedded_path("llava-scenes")
    model, processor = LlavaForConditionalGeneration.from_pretrained(folder), AutoProcessor.from_pretrained(folder)
    image = Image.new("RGB", (64, 64), (240, 240, 240))
    ImageDraw.Draw(image).ellipse((18, 20, 46, 48), fill=(255, 0, 0))
    asked = {
        "what color is the shape?": "red",
        "what shape is in the image?": "circle",
        "is there a triangle?": "no",
        "is there no triangle in the image?": "yes",
        "how many shapes are there?": "one",
        "what does the picture show?": "a red circle",
    }
    contents = [[{"type": "image"}, {"type": "text", "text": text}] for text in asked]
    texts = [
        processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
        for content in contents
    ]
    inputs = processor(text=texts, images=[image] * len(texts), padding=True, return_tensors="pt")
    found = model.float().generate(**inputs)[:, inputs["input_ids"].shape[1] :]
    assert processor.batch_decode(found, skip_special_tokens=True) == list(asked.values())
    assert found.shape[1] == len(("a", "red", "circle", "[SEP]"))  # it ends answers by itself


def test_the_head_depends_on_the_seed_alone() -> None:
    torch.manual_seed(1)
    first = load_model("vilt-scenes", ViltForQuestionAnswering, seed=3, num_labels=5)
    state = torch.get_rng_state()
    second = load_model("vilt-scenes", ViltForQuestionAnswering, seed=3, num_labels=5)
    assert torch.equal(torch.get_rng_state(), state)
    assert fingerprint(first.state_dict().items()) == fingerprint(second.state_dict().items())
    other = load_model("vilt-scenes", ViltForQuestionAnswering, seed=4, num_labels=5)
    assert not torch.equal(other.classifier[0].weight, first.classifier[0].weight)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("vilt-scnes", "did you mean 'vilt-scenes'?"),
        ("./nowhere", "no such model or directory"),
        ("a/b/c", "no such model or directory"),
        ("", "no config.json"),
        ("someone/not-on-this-machine", "could not be loaded"),
    ],
)
def test_unknown_names_are_refused(name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as refused:
        load_model(name, ViltForQuestionAnswering)
    assert said in str(refused.value)


def test_architectures_have_no_checkpoint() -> None:
    for name in ARCHITECTURES:
        with pytest.raises(InputError, match="random weights"):
            source_of(name)


def test_a_directory_of_another_family_is_refused(tmp_path: Path) -> None:
    BertConfig(hidden_size=32).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"model_type 'bert' is not a supported family; supported: .*vilt"):
        load_model(str(tmp_path), ViltForQuestionAnswering)


@pytest.mark.parametrize("damage", ["no weights", "truncated", "other sizes", "config"])
def test_damaged_directories_are_refused(damage: str, base_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(base_folder, tmp_path / "model")
    weights, config = folder / "model.safetensors", folder / "config.json"
    if damage == "no weights":
        weights.unlink()
    elif damage == "truncated":
        weights.write_bytes(weights.read_bytes()[:1000])
    elif damage == "config":
        config.write_text(config.read_text()[:50])
    else:
        config.write_text(json.dumps({**json.loads(config.read_text()), "intermediate_size": 128}))
    with pytest.raises(InputError, match=r"model"):
        load_model(str(folder), ViltForQuestionAnswering)


def test_fingerprints_tell_names_types_shapes_and_values_apart() -> None:
    value = torch.arange(6.0)
    variants = [{"a": value}, {"b": value}, {"a": value.double()}, {"a": value.view(2, 3)}, {"a": value + 1}]
    assert len({fingerprint(found.items()) for found in variants}) == len(variants)
    assert fingerprint([("a", value), ("b", value)]) == fingerprint([("b", value), ("a", value)])


def test_fingerprints_of_a_sample_see_both_ends() -> None:
    value = torch.arange(1000.0).view(10, 100)
    for row, column, seen in ((0, 0, True), (9, 99, True), (0, 1, False)):
        other = value.clone()
        other[row, column] = -1
        assert (fingerprint([("a", value)], 5) != fingerprint([("a", other)], 5)) == seen
    assert fingerprint([("a", value[0])], 100) == fingerprint([("a", value[0])])
