"""``smol-photos`` is trained on packed captions, resumes, and is put together when it is loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

import skiptune as st
from conftest import draw_square
from skiptune.core.ignored_label import IGNORED
from skiptune.core.seeding import drawn_from
from skiptune.costs.example_inputs import example_inputs
from skiptune.families.decoders.photo_tower import PhotoTower
from skiptune.families.meter import MeterForImageAndTextRetrieval
from skiptune.models.embedded import embedded_path
from skiptune.models.model_files import model_digests
from skiptune.models.published import PUBLISHED
from skiptune.pretraining.pretrain import pretrain
from skiptune.pretraining.smol_photos.photo_texts import clean, pack
from skiptune.pretraining.smol_photos.pretrain_smol_photos import pretrain_smol_photos
from skiptune.pretraining.smol_photos.smol_config import SmolConfig
from skiptune.tasks.generation.task import Generation
from tiny_decoders import text_decoder
from tiny_smol import publish

CAPTIONS = (["so is it .", "is it so"], ["it is so", "so so"], ["ye is", "it it it"], ["so", "is is"])


def test_packed_captions_have_the_losses_of_each_by_itself() -> None:
    model = text_decoder("llama")
    starts = [[5, 6, 7, 8], [9, 10, 11]]
    captions = [[[12, 13, 2], [14, 2]], [[15, 16, 17, 2], [18, 2], [19, 20, 2]]]
    batch = pack(starts, captions, fill=0)
    mask = torch.zeros(batch.seen.shape).masked_fill(~batch.seen, -1e4)
    with torch.no_grad():
        logits = model(input_ids=batch.ids, attention_mask=mask, position_ids=batch.positions, use_cache=False).logits
        wanted = batch.labels != IGNORED
        found = cross_entropy(logits[wanted], batch.labels[wanted], reduction="none")
        alone = [
            cross_entropy(
                model(torch.tensor([start + caption])).logits[0, len(start) - 1 : -1],
                torch.tensor(caption),
                reduction="none",
            )
            for start, own in zip(starts, captions, strict=True)
            for caption in own
        ]
    torch.testing.assert_close(found, torch.cat(alone), atol=1e-6, rtol=0)


def test_captions_are_cleaned() -> None:
    assert clean(" two dogs , run .") == "Two dogs, run."
    assert clean("A cat") == "A cat."


def test_the_tower_is_the_image_encoder_of_meter_photos() -> None:
    meter: Any = MeterForImageAndTextRetrieval.from_pretrained(embedded_path("meter-photos"), dtype=torch.float32)
    tower = PhotoTower(PhotoTower.config_class())
    own = {name: value for name, value in meter.meter.state_dict().items() if name.startswith("clip.")}
    tower.load_state_dict(own, strict=True)
    pixels = torch.randn(2, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = tower.eval()(pixels).last_hidden_state
        assert found.shape == (2, 26, 192 + 1280)
        assert torch.equal(found[..., :192], meter.eval().meter.encode_image(pixels))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four pictures with two captions each, in ``photos.jsonl``."""
    folder = tmp_path_factory.mktemp("photos")
    rows = []
    for number, captions in enumerate(CAPTIONS):
        draw_square(folder / f"{number}.png", number)
        rows.append(json.dumps({"image": f"{number}.png", "captions": captions}))
    (folder / "photos.jsonl").write_text("\n".join(rows), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def trained(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Directory of a model that was trained for some steps, and its report."""
    folder = tmp_path_factory.mktemp("smol")
    with pytest.MonkeyPatch.context() as monkeypatch:
        publish(folder / "published", monkeypatch)
        config = SmolConfig(minutes=0.01, batch_size=2, lora_rank=2, lora_alpha=4)
        report = pretrain_smol_photos(config, folder / "out", photos / "photos.jsonl", photos, photos / "photos.jsonl")
        yield folder / "out" / "final", report


def test_what_is_written(trained: Any) -> None:
    folder, report = trained
    assert report["steps"] >= 1
    assert report["perplexity"] > 1
    assert report["wrong_photograph"] > 1
    assert [row["image"] for row in report["captions_written"]] == [f"{number}.png" for number in range(len(CAPTIONS))]
    assert {file.name for file in folder.iterdir()} >= {"config.json", "learnt.safetensors", "parts.json"}
    assert not (folder / "model.safetensors").exists()


def test_another_part_of_the_same_name_is_another_model(
    trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs go on with the same files only, wherever these lie."""
    before, published = model_digests(str(trained[0])), PUBLISHED["smollm2-135m"]
    language = f"{published.name}/{published.file}"
    assert before.keys() >= {"learnt.safetensors", "parts.json", language, "meter-photos/model.safetensors"}
    publish(tmp_path, monkeypatch)
    assert model_digests(str(trained[0])) == before
    with PUBLISHED["smollm2-135m"].path.open("ab") as file:
        file.write(b"0")
    after = model_digests(str(trained[0]))
    assert [name for name in before if before[name] != after[name]] == [language]


def test_it_is_put_together_when_it_is_loaded(trained: Any) -> None:
    folder, _ = trained
    with drawn_from(0):
        model: Any = st.load_model(str(folder), "generation")
    processor = st.load_processor(str(folder))
    assert not any(".lora_" in name for name in model.state_dict())
    assert model.generation_config.eos_token_id == 2
    plain = text_decoder("llama").state_dict()["model.layers.0.mlp.down_proj.weight"]
    merged = model.state_dict()["model.language_model.layers.0.mlp.down_proj.weight"]
    assert merged.shape == plain.shape
    assert not torch.equal(merged, plain)
    assert processor.whole.image_token_id == model.config.image_token_id


def test_a_task_trains_it(trained: Any, photos: Path) -> None:
    """The loss of a record's caption, through the task's own batches."""
    folder, _ = trained
    model: Any = st.insert(st.load_model(str(folder), "generation"), st.SkipConfig(block_adapter="lora"))
    task = Generation(st.load_processor(str(folder)))
    records = st.read_jsonl(photos / "photos.jsonl", photos, require_answers=False)
    batch = task.collate(list(records[:2]))
    st.choose(model, ["1", "2"])
    assert torch.isfinite(model(**batch).loss)


def test_it_is_exported_as_a_slim_model(trained: Any, tmp_path: Path) -> None:
    """Not as a plain one: transformers alone has no such tower."""
    folder = Path(shutil.copytree(trained[0], tmp_path / "copied"))
    generation = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps({**generation, "max_new_tokens": 7}))
    model: Any = st.insert(st.load_model(str(folder), "generation"), st.SkipConfig(block_adapter="lora"))
    names = tuple(st.blocks_of(model))
    plan = st.Plan("llava", names, names[1:3])
    with pytest.raises(st.InputError, match="its image tower is SkipTune's own"):
        st.export(model, tmp_path / "plain", plan, form="plain")
    st.choose(model, plan.skipped)
    inputs = example_inputs(model, (160, 160), 4, 1)
    with torch.no_grad():
        before = model.eval()(**inputs).logits
        after = st.load(st.export(model, tmp_path / "slim", plan))(**inputs).logits
    on_base: Any = st.load(st.export(model, tmp_path / "adapters", plan, form="adapters", base=str(folder)))
    assert on_base.generation_config.max_new_tokens == model.generation_config.max_new_tokens == 7
    torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-4)


def test_damaged_parts_are_named(trained: Any, tmp_path: Path) -> None:
    folder, _ = trained
    copied = Path(shutil.copytree(folder, tmp_path / "copied"))
    (copied / "learnt.safetensors").write_bytes(b"short")
    with pytest.raises(st.InputError, match=r"learnt\.safetensors: cannot be read"):
        st.load_model(str(copied), "generation")


def test_files_that_are_missing_are_named() -> None:
    with pytest.raises(st.InputError, match="photos need --photos FILE"):
        pretrain("smol-photos", Path("out"), 1.0, 0, {"photos": None, "heldout": None, "images": None}, (), 1.0)
