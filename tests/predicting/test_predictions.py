"""Questions one by one, many at a time, and with one that cannot be asked among them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import skiptune as st
from conftest import Call
from every_task import PAIRS, made, records_of, write_images
from skiptune.predicting.questions import Questions


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    write_images(folder)
    return [folder / f"{number}.png" for number in range(17)]


def numbers(found: st.Prediction) -> list[float]:
    """Of all answers, in the answers' order."""
    return [entry.probability if entry.score is None else entry.score for entry in sorted(found, key=str)]  # type: ignore[misc]


@pytest.mark.parametrize(("task", "family"), [pair for pair in PAIRS if "vilt-tiny" in pair or "vqa" in pair])
def test_many_are_answered_as_each_alone(task: str, family: str, pictures: list[Path]) -> None:
    """Whatever the batches, and whatever holds the pictures."""
    own, model = made(task, family, records_of(task, pictures[0].parent))
    second: Any = {"image2": pictures[1]} if task == "reasoning" else {}
    texts = ["is it red?", "a much longer text about what is there", "so"]
    several: list[Any] = [pictures[3], pictures[0].read_bytes(), np.asarray(Image.open(pictures[4]).convert("RGB"))]
    model.train()
    found = st.predict(model, own, several, texts, **second, batch_size=2)
    assert model.training
    for prediction, picture, text in zip(found, (pictures[3], pictures[0], pictures[4]), texts, strict=True):
        alone = st.predict(model, own, picture, text, **second)
        assert numbers(prediction) == pytest.approx(numbers(alone), abs=1e-5)
        assert prediction.error is None
    assert json.loads(json.dumps([each.to_dict() for each in found]))[0]["answers"][0]["answer"] == found[0].answer


def test_one_that_cannot_be_read_leaves_the_others(make_model: Any, task: st.Vqa, pictures: list[Path]) -> None:
    model = make_model()
    asked: list[Any] = [*pictures[:3], "nowhere.png", None, *pictures[3:5], np.zeros((5, 6, 7))]
    found = st.predict(model, task, asked, "which colour is it?", top=1, batch_size=8)
    errors = [each.error for each in found]
    assert [error is not None for error in errors] == [False, False, False, True, True, False, False, True]
    assert "nowhere.png: no such file" in str(errors[3])
    assert "None is no image" in str(errors[4])
    assert "an array of shape (5, 6, 7)" in str(errors[7])
    alone = st.predict(model, task, pictures[4], "which colour is it?", top=1)
    assert numbers(found[6]) == pytest.approx(numbers(alone), abs=1e-6)
    with pytest.raises(st.InputError, match=r"there is no answer: image nowhere\.png"):
        _ = found[3].answer
    assert found[3].to_dict() == {"answers": [], "error": errors[3]}
    for wrong in ("nowhere.png", np.zeros((5, 6, 7)), "https://example.org/a.png"):
        with pytest.raises(st.InputError):
            st.predict(model, task, wrong, "which colour is it?")


def test_what_is_given_once_goes_with_all_others(make_model: Any, task: st.Vqa, pictures: list[Path]) -> None:
    model, tensor = make_model(), torch.zeros(2, 3, 48, 48)
    assert len(st.predict(model, task, pictures[0], ["a?", "b?"])) == 2
    assert len(st.predict(model, task, tensor, "a?")) == 2  # type: ignore[arg-type]  # of its type, it could be one
    assert st.predict(model, task, [], "a?") == []
    assert len(st.predict(model, task, pictures[:1], ["a?"])) == 1
    with pytest.raises(st.InputError, match="2 × image, 3 × text; give as many of each"):
        st.predict(model, task, pictures[:2], ["a?"] * 3)
    with pytest.raises(st.InputError, match="text: there is none"):
        st.predict(model, task, pictures[0])
    with pytest.raises(st.InputError, match="text: 5 is not a text"):
        st.predict(model, task, pictures[0], 5)  # type: ignore[call-overload]


def test_a_buffer_is_one_picture(make_model: Any, task: st.Vqa, pictures: list[Path]) -> None:
    """Also where it could be gone through byte by byte or line by line, and so is a dictionary."""
    model, data = make_model(), pictures[0].read_bytes()
    wanted = st.predict(model, task, data, "colour?")
    kept = {"bytes": data, "path": None}
    for picture in (
        bytearray(data),
        memoryview(data),
        io.BytesIO(data),
        kept,
        {"bytes": None, "path": str(pictures[0])},
    ):
        found = st.predict(model, task, picture, "colour?")  # type: ignore[call-overload]
        assert [one.answer for one in found.answers] == [one.answer for one in wanted.answers]
        # where in memory the numbers lie can change the last bit
        assert [one.probability for one in found.answers] == pytest.approx([one.probability for one in wanted.answers])
    with pictures[0].open("rb") as file:
        assert st.predict(model, task, file, "colour?") == wanted
    with pytest.raises(st.InputError, match="is no image"):
        st.predict(model, task, {"image": pictures[0]}, "colour?")  # type: ignore[call-overload]
    with pytest.raises(st.InputError, match="text: b'colour' is not a text"):
        st.predict(model, task, data, b"colour")


@pytest.mark.parametrize("device", ["cuda:99", "tpu9", -1])
def test_a_device_that_is_not_there(make_model: Any, task: st.Vqa, device: Any) -> None:
    with pytest.raises(st.InputError, match=f"device: {device} cannot be used"):
        st.pipeline(make_model(), task, device=device)
    with pytest.raises(st.InputError, match="device: "):
        st.pipeline("nowhere", device=device)


def test_a_task_may_do_without_texts(task: st.Vqa, pictures: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(st.Vqa, "needs_text", False)
    (found,) = Questions.of(task, [pictures[0]], None, None).asked
    assert isinstance(found, st.Record)
    assert found.text == ""


def test_answers_read_as_fields_and_as_before() -> None:
    found = st.Prediction((st.Answer("red", probability=0.75), st.Answer("blue", probability=0.25)))
    assert (found.answer, found.probability, found.score, len(found)) == ("red", 0.75, None, 2)
    assert found[0]["probability"] == 0.75
    assert "score" not in found[0]
    assert found[1:] == (st.Answer("blue", probability=0.25),)
    assert repr(found[0]) == "Answer(answer='red', probability=0.75)"
    assert st.Answer(2.5).to_dict() == {"answer": 2.5}
    with pytest.raises(KeyError):
        _ = found[0]["score"]


@pytest.mark.parametrize("family", ["vilt-tiny", "meter-tiny", "bridgetower-tiny"])
def test_rankings_agree_with_the_scores_of_pairs(family: str, pictures: list[Path]) -> None:
    own, model = made("retrieval", family, records_of("retrieval", pictures[0].parent))
    texts = ["a red square", "a picture of nothing at all", "", "blue"]
    ranked = st.rank(model, own, pictures[0], texts, batch_size=2)
    assert ranked[-1].to_dict() == {"index": 2, "item": "", "error": "text: it is empty"}
    scores = {entry.index: entry.score for entry in ranked[:-1]}
    assert list(scores.values()) == sorted(scores.values(), reverse=True)  # type: ignore[type-var]
    for row, score in scores.items():
        assert score == pytest.approx(st.predict(model, own, pictures[0], texts[row]).score, abs=1e-5)
    several: list[Any] = [*pictures[:4], "nowhere.png", Image.open(pictures[4])]
    pipe = st.pipeline(model, own, batch_size=2)
    by_picture = pipe(images=several, text="a red square")
    assert sorted(entry.index for entry in by_picture) == list(range(6))
    assert by_picture[-1].error == "image nowhere.png: no such file"
    for entry in by_picture[:-1]:
        assert entry.score == pytest.approx(pipe(several[entry.index], "a red square").score, abs=1e-5)
        assert entry.item == ("in memory" if entry.index == 5 else str(several[entry.index]))
    assert pipe.rank(several, "a red square", top=2) == by_picture[:2]
    assert pipe(pictures[0], texts=texts) == ranked


def test_misuse_of_rankings_is_a_sentence(make_model: Any, task: st.Vqa, pictures: list[Path]) -> None:
    own, model = made("retrieval", "vilt-tiny", records_of("retrieval", pictures[0].parent))
    for image, text in ((pictures[0], "a"), (pictures[:2], ["a", "b"])):
        with pytest.raises(st.InputError, match="expected one picture and a list of texts"):
            st.rank(model, own, image, text)  # type: ignore[call-overload]
    with pytest.raises(st.InputError, match="text: it is empty"):
        st.rank(model, own, pictures[:2], " ")
    with pytest.raises(st.InputError, match="image x: no such file"):
        st.rank(model, own, "x", ["a", "b"])
    with pytest.raises(st.InputError, match="task 'vqa': ranks nothing"):
        st.rank(make_model(), task, pictures[0], ["a", "b"])
    pipe = st.pipeline(make_model(), task)
    with pytest.raises(st.InputError, match="a ranking is of one image and texts="):
        pipe(pictures[0], "a", texts=["b"])  # type: ignore[call-overload]
    with pytest.raises(st.InputError, match="image: there is none"):
        pipe(text="a")  # type: ignore[call-overload]
    with pytest.raises(st.InputError, match="task: a model needs its task"):
        st.pipeline(make_model())
    with pytest.raises(st.InputError, match="backend, base: for a directory"):
        st.pipeline(make_model(), task, backend="onnx")


def test_a_directory_is_opened_whole(make_model: Any, task: st.Vqa, pictures: list[Path], tmp_path: Path) -> None:
    model = st.insert(make_model(), st.SkipConfig(init="paper")).eval()
    st.choose(model, ["1"])
    st.export(model, tmp_path / "slim", task=task)
    pipe = st.pipeline(tmp_path / "slim", device="cpu")
    assert repr(pipe).startswith("Pipeline(ViltForQuestionAnswering, Vqa(4 answers")
    found = pipe(pictures[:2], "which colour?", top=2)
    assert [len(each) for each in found] == [2, 2]
    assert numbers(found[0]) == pytest.approx(numbers(st.predict(model, task, pictures[0], "which colour?", 2)))
    with pytest.raises(st.InputError, match="nowhere: not a slim model"):
        st.pipeline("nowhere")


def test_several_on_the_command_line(call: Call, make_model: Any, task: st.Vqa, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for number in range(2):
        Image.new("RGB", (48, 48), (100 * number, 0, 0)).save(tmp_path / "photos" / f"{number}.png")
    (tmp_path / "photos" / "2.jpg").write_bytes(b"no picture")
    (tmp_path / "photos" / "notes.txt").write_text("none")
    st.export(st.insert(make_model()), tmp_path / "slim", task=task)
    code, out, _ = call("predict", tmp_path / "slim", tmp_path / "photos", "which?", "--top", "1", "--json")
    rows = json.loads(out)
    assert code == 0
    assert [Path(row["image"]).name for row in rows] == ["0.png", "1.png", "2.jpg"]
    assert [len(row["answers"]) for row in rows] == [1, 1, 0]
    assert "not JPEG, PNG" in rows[2]["error"]
    code, out, _ = call("predict", tmp_path / "slim", tmp_path / "photos" / "0.png", "which?", "what?")
    assert out.count("%") == 8
    assert "0.png  what?" in out
    code, _, err = call("predict", tmp_path / "slim", tmp_path / "photos", "which?", "what?")
    assert (code, "with a folder of images, give one text" in err) == (2, True)
    own, model = made("retrieval", "vilt-tiny", [st.Record(tmp_path / "photos" / "0.png", captions=("a",))])
    st.export(model, tmp_path / "ranks", task=own)  # type: ignore[arg-type]
    code, out, _ = call("predict", tmp_path / "ranks", tmp_path / "photos", "a caption")
    assert [line.rpartition("/")[2].split(":")[0] for line in out.splitlines()[:2]] != []
    assert out.splitlines()[2].startswith("error: image")
    code, out, _ = call("predict", tmp_path / "ranks", tmp_path / "photos" / "0.png", "one", "two", "--json")
    assert {entry["item"] for entry in json.loads(out)} == {"one", "two"}
