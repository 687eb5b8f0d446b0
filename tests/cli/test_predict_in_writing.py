"""``skiptune predict`` and ``skiptune evaluate`` with a model that writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import skiptune as st
from conftest import Call
from tiny_chat import save_slim_llava


@pytest.fixture(scope="module")
def slim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A slim model, beside pictures and a conversation."""
    folder = tmp_path_factory.mktemp("written")
    save_slim_llava(folder / "slim")
    for name in ("a", "b"):
        pixels = np.random.default_rng(ord(name)).integers(0, 255, (20, 20, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    said = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "is it red"}]}]
    (folder / "chat.json").write_text(json.dumps({"messages": said, "images": ["a.png"]}))
    return folder / "slim"


def test_what_can_be_asked(call: Call, slim: Path) -> None:
    picture = slim.parent / "a.png"

    def answers(*options: object) -> list[dict[str, object]]:
        code, out, err = call("predict", slim, *options, "--json")
        assert code == 0, err
        found: list[dict[str, object]] = json.loads(out)
        return found

    (one,) = answers(picture, "is it red")
    assert one["cut"] is True
    assert answers("--conversation", slim.parent / "chat.json") == [one]
    several = answers(picture, "is it red", "what color")
    assert several[0] == {"image": str(picture), "text": "is it red", "answers": [one]}
    drawn = answers(picture, "is it red", "--temperature", "1.5", "--top-k", "40", "--seed", "3")
    assert drawn == answers(picture, "is it red", "--temperature", "1.5", "--top-k", "40", "--seed", "3") != [one]
    assert answers(picture, "is it red", "--image2", slim.parent / "b.png") != [one]
    assert answers("--text", "is it red") != [one]
    chosen = answers(picture, "is it red", "--option", "yes", "--option", "no")
    assert sum(float(str(each["probability"])) for each in chosen) == pytest.approx(1)
    code, out, err = call("predict", slim, slim.parent, "is it red")
    assert (code, out.count("is it red")) == (0, 2)
    assert "cut after 4 tokens" in err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "there is nothing to ask"),
        (("--text", "a", "--top-p", "0.5"), "top_p: only tokens that are drawn have it"),
        (("--text", "a", "--top-p", "2"), "top_p: 2.0 is not a number above 0 and at most 1, or null"),
        (("--text", "a", "--option", "b", "--option", "b"), "--option: 'b' is there twice"),
        (("--text", "a", "--conversation", "chat.json"), "--conversation: it has the texts and images"),
        (("--conversation", "nowhere.json"), "nowhere.json: no such file"),
    ],
)
def test_nonsense_is_refused(call: Call, slim: Path, options: tuple[str, ...], said: str) -> None:
    code, _, err = call("predict", slim, *options)
    assert code == 2
    assert said in err


def test_other_models_take_no_options_of_those_that_write(
    call: Call, make_model: object, task: st.Vqa, slim: Path, tmp_path: Path
) -> None:
    st.export(st.insert(make_model()), tmp_path / "vqa", task=task)  # type: ignore[operator]
    code, _, err = call("predict", tmp_path / "vqa", slim.parent / "a.png", "what?", "--temperature", "1")
    assert (code, "--temperature: for models that write" in err) == (2, True)
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"image": "a.png", "question": "what?", "answer": "red"}))
    code, _, err = call("evaluate", tmp_path / "vqa", "--data", rows, "--images", slim.parent, "--measure", "anls")
    assert (code, "--measure: for models that write" in err) == (2, True)


def test_measured_by_another_measure(call: Call, slim: Path, tmp_path: Path) -> None:
    rows, written = tmp_path / "rows.jsonl", tmp_path / "answers.jsonl"
    row = {"image": "a.png", "question": "is it red", "answer": "yes", "options": ["yes", "no"]}
    rows.write_text(f"{json.dumps(row)}\n{json.dumps({**row, 'question': 'what'})}")
    usual = ("evaluate", slim, "--data", rows, "--images", slim.parent)
    code, out, err = call(*usual, "--predictions", written)
    assert code == 0, err
    assert "exact_match 0.00%" in out
    assert "perplexity" in out
    assert "2 answers cut at max_new_tokens" in out
    assert json.loads(written.read_text().splitlines()[1])["text"] == "what"
    code, out, err = call(*usual, "--measure", "choice", "--json")
    assert list(json.loads(out))[:3] == ["choice", "choice_by_token", "likelihood"]
    code, out, err = call(*usual, "--measure", "bleu")
    assert (code, "measure: 'bleu'" in err) == (2, True)


def test_rows_that_do_not_fit_are_left_out(call: Call, slim: Path, tmp_path: Path) -> None:
    good, bad = (
        {"image": "a.png", "question": text, "answer": "red"} for text in ("is it red", "is <|video_pad|> red")
    )
    rows = tmp_path / "rows.jsonl"
    rows.write_text("\n".join(map(json.dumps, [*[good] * 9, bad])))
    code, out, err = call("evaluate", slim, "--data", rows, "--images", slim.parent, "--json")
    assert code == 0, err
    assert (json.loads(out)["count"], json.loads(out)["bad_rows"]) == (9, 1)
    assert "turn 1 has <|video_pad|>" in err
    code, _, err = call("evaluate", slim, "--data", rows, "--images", slim.parent, "--most-bad", "0")
    assert code == 2
    assert "1 of 10 records do not fit the model" in err
