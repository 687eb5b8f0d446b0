"""Model cards: metadata that the hub reads, what was measured, and plain words about what was not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from skiptune import InputError, Plan, SkipConfig, Vqa, blocks_of, export
from skiptune.exporting.export import annotate
from skiptune.models.embedded import EMBEDDED

PART = {"accuracy": 0.875, "loss": 0.25, "count": 1234, "unknown_answers": 3}
LATENCY = {
    "batches": {"1": {"original": {"median_s": 0.1, "ratio": 1.0}, "slim": {"median_s": 0.07, "ratio": 0.7}}},
    "threads": 2,
    "device": "cpu",
    "text_length": 40,
}
EXTRA = {
    "data": "vqav2",
    "seed": 7,
    "accuracy": {"validation": {**PART, "accuracy": 0.8}, "test": PART},
    "baselines": {"unskipped": {"test": {**PART, "accuracy": 0.9}}},
}


def exported(make_model: Any, task: Vqa | None, folder: Path, **options: Any) -> Path:
    model = make_model(SkipConfig())
    return export(model, folder, Plan("vilt", tuple(blocks_of(model)), ("1", "2"), "bandit"), task, **options)


def test_a_card_with_everything(make_model: Any, task: Vqa, tmp_path: Path) -> None:
    folder = exported(make_model, task, tmp_path / "kitchen", base="dandelin/vilt-b32-mlm", extra=EXTRA)
    card = ModelCard.load(folder / "README.md")
    data = card.data.to_dict()
    assert data["library_name"] == "skiptune"
    assert data["pipeline_tag"] == "visual-question-answering"
    assert data["base_model"] == "dandelin/vilt-b32-mlm"
    assert data["datasets"] == ["vqav2"]
    assert {"skiptune", "vilt", "vqa"} <= set(data["tags"])
    assert "license" not in data
    (result,) = card.data.eval_results
    assert (result.metric_type, result.metric_value, result.dataset_split) == ("accuracy", 0.875, "test")
    assert card.data.model_name == "kitchen"
    text = card.text
    for said in ("2 of 4 blocks", "| skipped | 1, 2 |", "| chosen by | bandit |", "| seed | 7 |", "| torch |"):
        assert said in text
    assert "| this model | test | accuracy | 87.50% (85.54% to 89.23%) | 1,234 |" in text
    assert "| nothing skipped | test | accuracy | 90.00% (88.20% to 91.55%) | 1,234 |" in text
    assert "Latency\n\nNot measured" in text
    assert "this card does not know" in text


def test_latency_is_added_when_it_is_known(make_model: Any, task: Vqa, tmp_path: Path) -> None:
    folder = exported(make_model, task, tmp_path / "slim", extra=EXTRA)
    annotate(folder, {"latency": LATENCY, "image_size": [384, 640]})
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "| this model | 1 | 70.0 ms | −30.0% |" in text
    assert "cpu, 2 threads, 40 tokens of text, images of 384 × 640 pixels" in text
    content = json.loads((folder / "config.json").read_text())
    assert content["extra"] == {**EXTRA, "latency": LATENCY, "image_size": [384, 640]}


def test_a_card_of_what_nobody_measured(make_model: Any, tmp_path: Path) -> None:
    base = tmp_path / "secret" / "base"
    base.mkdir(parents=True)
    folder = exported(make_model, None, tmp_path / "slim", base=str(base), form="adapters")
    card = ModelCard.load(folder / "README.md")
    data = card.data.to_dict()
    assert not {"base_model", "datasets", "model-index", "pipeline_tag", "license"} & data.keys()
    assert card.text.count("Not measured when this was exported.") == 2
    assert "secret" not in card.text, "a path of this machine"
    assert "not recorded" in card.text


def test_the_embedded_models_licence_is_known(make_model: Any, task: Vqa, tmp_path: Path) -> None:
    folder = exported(make_model, task, tmp_path / "slim", base="vilt-scenes")
    data = ModelCard.load(folder / "README.md").data.to_dict()
    assert data["license"] == "apache-2.0"
    assert "base_model" not in data


@pytest.mark.parametrize(
    "extra", [{"accuracy": 3}, {"latency": {"batches": {"1": {"slim": {}}}}}, {"accuracy": {"test": 1}}]
)
def test_measures_of_another_shape_are_refused(extra: dict[str, Any], make_model: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="model card"):
        exported(make_model, None, tmp_path / "slim", extra=extra)
    assert not (tmp_path / "slim").exists()


def licence_of(folder: Path) -> tuple[dict[str, Any], str]:
    """What a card's metadata and its text say of the licence."""
    card = ModelCard.load(folder / "README.md")
    data = card.data.to_dict()
    assert "## Licence" in card.text
    return {key: data[key] for key in data if key.startswith("license")}, card.text.partition("## Licence")[2]


@pytest.mark.parametrize("form", ["standalone", "adapters"])
def test_what_is_made_of_research_only_weights_says_so(form: Any, make_model: Any, task: Vqa, tmp_path: Path) -> None:
    folder = exported(make_model, task, tmp_path / "slim", base="meter-photos", form=form)
    annotate(folder, {"latency": LATENCY})
    metadata, text = licence_of(folder)
    assert metadata == {"license": "other", "license_name": "flickr8k-research-only"}
    assert "non-commercial research and education only" in text
    assert "photographs of Flickr8k" in text
    assert "skiptune-photos" in text
    assert "apache" not in (folder / "README.md").read_text(encoding="utf-8").lower()


def test_the_path_of_an_embedded_model_is_that_model(make_model: Any, tmp_path: Path) -> None:
    model = EMBEDDED["meter-photos"]
    if not model.installed:
        pytest.skip(model.how_to_install)
    metadata, text = licence_of(exported(make_model, None, tmp_path / "slim", base=str(model.path)))
    assert metadata["license_name"] == "flickr8k-research-only"
    assert str(model.path) not in text


@pytest.mark.parametrize(
    ("card", "metadata", "said"),
    [
        ("---\nlicense: mit\n---\n", {"license": "mit"}, "holds for this model too: mit."),
        (
            "---\nlicense: other\nlicense_name: 'my *own*'\nlicense_link: https://example.org/terms\n---\nWords.\n",
            {"license": "other", "license_name": "my *own*", "license_link": "https://example.org/terms"},
            r"holds for this model too: my \*own\* ([text](https://example.org/terms)). Read it",
        ),
        (
            "---\nlicense: other\nlicense_link: LICENSE\n---\n",
            {"license": "other", "license_name": "other"},
            ": other.",
        ),
        ("---\nlicense: [mit, x]\n---\n", {}, "this card does not know them"),
        ("---\n{broken\n---\n", {}, "this card does not know them"),
        ("No metadata.", {}, "this card does not know them"),
    ],
)
def test_a_licence_is_inherited_from_the_card_of_the_base(
    card: str, metadata: dict[str, str], said: str, make_model: Any, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (base / "README.md").write_text(card)
    found, text = licence_of(exported(make_model, None, tmp_path / "slim", base=str(base)))
    assert (found, str(base) in text) == (metadata, False)
    assert said in text


def test_a_licence_is_handed_on_from_slim_model_to_slim_model(make_model: Any, tmp_path: Path) -> None:
    first = exported(make_model, None, tmp_path / "first", base="meter-photos")
    metadata, _ = licence_of(exported(make_model, None, tmp_path / "second", base=str(first)))
    assert metadata == {"license": "other", "license_name": "flickr8k-research-only"}


def test_another_name_for_the_base_changes_no_licence(make_model: Any, tmp_path: Path) -> None:
    model = make_model(SkipConfig())
    model.name_or_path = "meter-photos"
    metadata, _ = licence_of(export(model, tmp_path / "slim", base="someone/model"))
    assert metadata == {"license": "other", "license_name": "flickr8k-research-only"}


def test_a_model_from_nowhere_inherits_nothing_from_the_working_directory(
    make_model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n")
    monkeypatch.chdir(tmp_path)
    model = make_model(SkipConfig())
    model.name_or_path = ""
    metadata, _ = licence_of(export(model, tmp_path / "slim"))
    assert metadata == {}


def test_a_copy_of_an_embedded_model_keeps_its_licence(make_model: Any, tmp_path: Path) -> None:
    model = EMBEDDED["meter-photos"]
    if not model.installed:
        pytest.skip(model.how_to_install)
    (tmp_path / "copy").mkdir()
    shutil.copy(model.path / "README.md", tmp_path / "copy")
    metadata, _ = licence_of(exported(make_model, None, tmp_path / "slim", base=str(tmp_path / "copy")))
    assert metadata == {"license": "other", "license_name": "flickr8k-research-only"}


def test_an_address_that_is_markup_is_no_address(make_model: Any, tmp_path: Path) -> None:
    link = "https://e.com) <img src=x onerror=alert(7)> [x](javascript:alert(8)"
    (tmp_path / "base").mkdir()
    card = f"---\nlicense: other\nlicense_link: '{link}'\n---\n"
    (tmp_path / "base" / "README.md").write_text(card)
    folder = exported(make_model, None, tmp_path / "slim", base=str(tmp_path / "base"))
    metadata, text = licence_of(folder)
    assert metadata == {"license": "other", "license_name": "other"}
    assert "<img" not in text
    assert "](javascript" not in text


def test_no_text_can_become_markup(make_model: Any, tmp_path: Path) -> None:
    evil = "<script>|*x*| [a](http://evil.example)"
    extra = {"data": evil, "baselines": {evil: {"test": PART}}, "accuracy": {"test": {**PART, evil: 0.5}}}
    folder = exported(make_model, None, tmp_path / "a_[b](c)", extra=extra)
    text = ModelCard.load(folder / "README.md").text
    assert text.lstrip().startswith(r"# a\_\[b\](c)")
    assert "<script>" not in text
    assert "[a](http" not in text.replace(r"\]", "")
    rows = [line for line in text.splitlines() if "&lt;script&gt;" in line]
    assert len(rows) == 3
    assert all(len(row.replace(r"\|", "").split("|")) in (4, 8) for row in rows)
