"""Conversations in the dialects of the tools that write them: what is read, what is refused, and why."""

from __future__ import annotations

import base64
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import skiptune as st
from skiptune import InputError
from skiptune.data.readers.conversation_files import read_conversations
from skiptune.data.readers.conversations.names import DIALECT_NAMES, DialectName
from skiptune.data.readers.json_lines import read_lines
from skiptune.data.readers.jsonl import read_jsonl
from skiptune.data.record import Record
from skiptune.data.record_digests import digests_of
from skiptune.data.turns import Turn
from skiptune.tasks.registry import TASKS

Row = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pictures")
    for name in ("a.png", "b.png"):
        Image.new("RGB", (8, 8), "red" if name == "a.png" else "blue").save(made / name)
    (made / "empty.png").write_bytes(b"")
    return made


def human(text: Any) -> Row:
    return {"from": "human", "value": text}


def gpt(text: Any) -> Row:
    return {"from": "gpt", "value": text}


def user(content: Any) -> Row:
    return {"role": "user", "content": content}


def assistant(content: Any) -> Row:
    return {"role": "assistant", "content": content}


def read(folder: Path, dialect: DialectName, rows: list[Any], **options: Any) -> list[Record]:
    """The records of a file with these rows, all of which are fine."""
    path = folder / "rows.json"
    path.write_text(json.dumps(rows))
    found = read_conversations(path, dialect, most_bad=0, **options, **TASKS["generation"].row_checks())
    return list(found)


def problem(folder: Path, dialect: DialectName, row: Any, **options: Any) -> str:
    """The problem of a row, which is told with its place in the file."""
    with pytest.raises(InputError) as error:
        read(folder, dialect, [row], **options)
    first = str(error.value).splitlines()[1]
    assert first.startswith("  - entry 1: ")
    return first.removeprefix("  - entry 1: ")


def said(record: Record) -> list[tuple[str, tuple[str | None, ...]]]:
    return [(turn.role, turn.parts) for turn in record.turns]


def names(record: Record) -> list[str]:
    return [picture.name if isinstance(picture, Path) else "in memory" for picture in record.images]


PLACE = {"type": "image"}
ASKED = [("user", (None, "what?")), ("assistant", ("red",))]
#: Dialect → a row with one image, one with two, and one with text alone.
ROWS: dict[DialectName, tuple[Row, Row, Row]] = {
    "messages": (
        {
            "messages": [user([PLACE, {"type": "text", "text": "what?"}]), assistant("red")],
            "image": "a.png",
        },
        {"messages": [user("<image><image>what?"), assistant("red")], "images": ["a.png", "b.png"]},
        {"messages": [user("what?"), assistant([{"type": "text", "text": "red"}])], "images": []},
    ),
    "llava": (
        {"id": 7, "image": "a.png", "conversations": [human("<image>\nwhat?"), gpt("red")]},
        {"id": "x", "images": ["a.png", "b.png"], "conversations": [human("<image>\n<image>\nwhat?"), gpt("red")]},
        {"conversations": [human("what?"), gpt("red")], "image": None},
    ),
    "sharegpt": (
        {"conversations": [human("<image>what?"), gpt("red")], "images": ["a.png"]},
        {"messages": [user("<image><image>what?"), assistant("red")], "images": ["a.png", "b.png"]},
        {"conversations": [human("what?"), gpt("red")]},
    ),
    "swift": (
        {"query": "<image>what?", "response": "red", "images": ["a.png"]},
        {"messages": [user("<img>a.png</img><img>b.png</img>what?"), assistant("red")]},
        {"query": "what?", "response": "red", "history": None},
    ),
}


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
def test_one_image_several_and_none(folder: Path, dialect: DialectName) -> None:
    one, two, none = read(folder, dialect, list(ROWS[dialect]))
    assert said(one) == ASKED
    assert names(one) == ["a.png"]
    assert said(two) == [("user", (None, None, "what?")), ("assistant", ("red",))]
    assert names(two) == ["a.png", "b.png"]
    assert said(none) == [("user", ("what?",)), ("assistant", ("red",))]
    assert none.image is None


@pytest.mark.parametrize("dialect", DIALECT_NAMES)
def test_rows_tell_their_dialect_in_json_lines_and_in_python(folder: Path, dialect: DialectName) -> None:
    path = folder / "rows.jsonl"
    path.write_text("\ufeff" + "".join(json.dumps(row) + "\r\n" for row in ROWS[dialect]), encoding="utf-8")
    named = read_conversations(path, dialect)
    told = read_jsonl(path, folder, **TASKS["generation"].row_checks())
    assert list(told) == list(named)
    for task in (None, "generation"):
        given = st.records(ROWS[dialect], task, images=folder)  # type: ignore[call-overload, arg-type]
        assert [said(record) for record in given] == [said(record) for record in named]


def test_llava_has_the_only_image_of_a_turn_first_and_several_where_they_are(folder: Path) -> None:
    rows = [
        {"image": "a.png", "conversations": [human("what?\n<image>"), gpt("red"), human(" and now? "), gpt("so")]},
        {"image": ["a.png", "b.png"], "conversations": [human("is <image>\nlike <image>?"), gpt("no")]},
        {"image": "a.png", "conversations": [human("hello"), gpt("hello"), human("<image>\nwhat?"), gpt("red")]},
    ]
    last, several, later = (said(record) for record in read(folder, "llava", rows))
    assert last[0] == ("user", (None, "what?"))
    assert last[2] == ("user", (" and now? ",))
    assert several[0] == ("user", ("is ", None, "\nlike ", None, "?"))
    assert later[2] == ("user", (None, "what?"))


def test_images_that_no_text_marks_stand_first_where_the_tool_puts_them(folder: Path) -> None:
    row: Row = {"messages": [{"role": "system", "content": "be short"}, *map(user, ["what?"]), assistant("red")]}
    images = {"images": ["a.png", "b.png"]}
    for dialect in ("messages", "swift"):
        (found,) = read(folder, dialect, [{**row, **images}])
        assert said(found)[:2] == [("system", ("be short",)), ("user", (None, None, "what?"))]
    assert "2 images and 0 places" in problem(folder, "sharegpt", {**row, **images})
    text = [{"type": "text", "text": "what?"}]  # typed parts say where images stand
    assert "1 image and 0 places" in problem(
        folder, "messages", {"messages": [user(text), assistant("red")], "image": "a.png"}
    )


def test_a_mark_in_a_typed_part_is_text(folder: Path) -> None:
    parts = [{"type": "text", "text": "what does <image> do"}, {"type": "image"}, {"text": "?"}]
    (found,) = read(folder, "messages", [{"messages": [user(parts), assistant("red")], "image": "a.png"}])
    assert said(found)[0] == ("user", ("what does <image> do", None, "?"))


def test_images_stand_in_parts_by_path_address_of_a_file_or_base64(folder: Path) -> None:
    written = base64.b64encode((folder / "b.png").read_bytes()).decode()
    parts: list[Any] = [
        {"type": "image", "image": "a.png", "text": None},
        {"type": "image", "url": f"file://{folder / 'b.png'}"},
        {"type": "image", "path": "a.png"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{written}"}},
        {"type": "image", "base64": written},
        {"type": "image"},
        "what?",
    ]
    row = {"messages": [user(parts), assistant("red")], "images": [{"bytes": None, "path": "b.png"}]}
    (found,) = read(folder, "messages", [row])
    assert names(found) == ["a.png", "b.png", "a.png", "in memory", "in memory", "b.png"]
    assert found.images[3] == found.images[4], "one picture"
    assert said(found)[0] == ("user", (*[None] * 6, "what?"))


def test_prompts_with_completions_and_exchanges_with_history(folder: Path) -> None:
    listed = {"prompt": [user("what?")], "completion": [assistant("red")], "image": "a.png"}
    plain = {"prompt": "what?", "completion": "red", "images": ["a.png"]}
    assert [said(found) for found in read(folder, "messages", [listed, plain])] == [ASKED, ASKED]
    history = {"query": "and now?", "response": 2.0, "history": [["<image>what?", "red"]], "images": "a.png"}
    alpaca = {"instruction": "sort", "input": "b a", "output": "a b", "system": "be short"}
    older, other = read(folder, "swift", [history, alpaca])
    assert said(older) == [*ASKED, ("user", ("and now?",)), ("assistant", ("2",))]
    assert said(other) == [("system", ("be short",)), ("user", ("sort\nb a",)), ("assistant", ("a b",))]


def test_names_of_roles_and_tags_of_ones_own(folder: Path) -> None:
    pairs = [("human", "gpt"), ("user", "assistant"), ("user", "bing"), ("Human", "ChatGPT"), ("user", "model")]
    rows = [{"conversations": [{"from": a, "value": "hi"}, {"from": b, "value": "yes"}]} for a, b in pairs]
    assert {tuple(turn.role for turn in found.turns) for found in read(folder, "sharegpt", rows)} == {
        ("user", "assistant")
    }
    dialog = [{"who": "customer", "words": "<image>what?"}, {"who": "agent", "words": "red"}]
    columns = {"conversations": "dialog", "images": "photos", "role_tag": "who", "content_tag": "words"}
    columns |= {"user_tag": "customer", "assistant_tag": "agent"}
    row = {"dialog": dialog, "photos": ["a.png"]}
    (found,) = read(folder, "sharegpt", [row], columns=columns)
    assert said(found) == ASKED
    assert said(st.records([row], "generation", columns, images=folder)[0]) == ASKED
    with pytest.raises(InputError, match="'role_tags' is no field; did you mean 'role_tag'"):
        read(folder, "sharegpt", [row], columns={"role_tags": "who"})


FINE = [human("<image>what?"), gpt("red")]
#: Row → what its refusal says.
WRONG: dict[str, tuple[Row, str]] = {
    "no image": ({"conversations": FINE}, "0 images and 1 place for them"),
    "null": ({"conversations": FINE, "image": None}, "name the images in image or images, or take <image> out"),
    "blank": ({"conversations": FINE, "image": ""}, "image: '' is not a text"),
    "two for one": ({"conversations": FINE, "images": ["a.png", "b.png"]}, "2 images and 1 place"),
    "one for two": ({"conversations": [human("<image><image>what?"), gpt("r")], "image": "a.png"}, "1 image and 2 pl"),
    "no mark": ({"conversations": [human("what?"), gpt("red")], "image": "a.png"}, "the model would not see"),
    "null inside": ({"conversations": FINE, "images": [None]}, "images: [None] has null among the images"),
    "both": ({"conversations": FINE, "images": ["a.png"], "image": "a.png"}, "leave one of them out"),
    "missing file": ({"conversations": FINE, "image": "c.png"}, "c.png: no such file"),
    "empty file": ({"conversations": FINE, "image": "empty.png"}, "empty.png: empty file"),
    "address": ({"conversations": FINE, "image": "https://x.org/a.png"}, "is an address; download the picture"),
    "number": ({"conversations": FINE, "image": 3}, "image: 3 is not a text"),
    "begins with gpt": ({"conversations": [gpt("hi"), *FINE], "image": "a.png"}, "turn 1 is the assistant's"),
    "twice": ({"conversations": [human("hi"), *FINE], "image": "a.png"}, "turn 2 is the user's"),
    "no answer": ({"conversations": FINE[:1], "image": "a.png"}, "turn 1: the last turn is the user's; an answer is m"),
    "blank answer": ({"conversations": [FINE[0], gpt(" ")], "image": "a.png"}, "turn 2: the answer is blank"),
    "null answer": (
        {"conversations": [FINE[0], gpt(None)], "image": "a.png"},
        "turn 2: value: None; the answer is blank",
    ),
    "no question": ({"conversations": [gpt("red")]}, "turn 1: no turn is the user's"),
    "blank question": ({"conversations": [human(" "), gpt("red")]}, "turns: turn 1 is empty"),
    "tool": ({"conversations": [human("x"), {"from": "function_call", "value": "f"}]}, "is a tool's turn"),
    "tools": ({"conversations": FINE, "image": "a.png", "tools": "[f]"}, "tools: '[f]'; conversations with tools"),
    "calls": ({"messages": [user("x"), {**assistant("y"), "tool_calls": [{}]}]}, "turn 2: tool_calls: [{}]"),
    "not learnt": ({"messages": [user("x"), {**assistant("y"), "loss": False}]}, "turn 2: loss: False; all answers"),
    "role": ({"conversations": [{"from": "me", "value": "x"}, gpt("y")]}, "turn 1: from: 'me' is no role; known"),
    "no role": ({"conversations": [{"value": "x"}, gpt("y")]}, "turn 1: role: missing (or from)"),
    "turn": ({"conversations": ["hello", gpt("y")]}, "turn 1: 'hello' is not an object with role and content"),
    "list": ({"conversations": "hello"}, "conversations: 'hello' is not a list of turns"),
    "no turns": ({"conversations": []}, "conversations: [] is not a list of turns"),
    "systems": (
        {"messages": [{"role": "system", "content": "a"}, user("x"), assistant("y")], "system": "b"},
        "which is",
    ),
    "video": ({"conversations": FINE, "videos": ["a.mp4"]}, "videos: ['a.mp4']; images and texts are read"),
    "video part": ({"messages": [user([{"type": "video"}]), assistant("y")]}, "part 1: type: 'video' is neither text"),
    "part": ({"messages": [user([3]), assistant("y")]}, "turn 1: content: part 1: 3 is neither a text nor an object"),
    "no text": ({"messages": [user([{"type": "text"}]), assistant("y")]}, "part 1: text: None is not a text"),
    "base64": ({"messages": [user([{"type": "image", "base64": "?"}]), assistant("y")]}, "'?' is damaged Base64"),
    "surrogate": ({"conversations": [human("\ud800"), gpt("y")]}, "is it UTF-8"),
    "nothing": ({"image": "a.png"}, "messages: missing (or conversations)"),
    "boxes": ({"conversations": [human("<bbox>"), gpt("y")], "objects": {"bbox": [[1, 2]]}}, "boxes are not read"),
    "history": ({"query": "x", "response": "y", "history": [["x"]]}, "history: pair 1: ['x'] is not a question with"),
    "no history": ({"query": "x", "response": "y", "history": "x"}, "history: 'x' is not a list of pairs"),
}


@pytest.mark.parametrize("name", WRONG)
def test_nonsense_is_refused_with_its_place_and_field(folder: Path, name: str) -> None:
    row, words = WRONG[name]
    dialect: DialectName = "swift" if "query" in row else "sharegpt" if "messages" in row else "llava"
    assert words in problem(folder, dialect, row)


def test_a_bad_row_does_not_lose_the_others(folder: Path) -> None:
    rows = [ROWS["llava"][0], 7, WRONG["no mark"][0], ROWS["llava"][2]]
    path = folder / "some.json"
    text = json.dumps(rows)
    path.write_text(f'{text[:-1]}, {{"conversations": nonsense}}]')
    found = read_conversations(path, "llava", most_bad=0.9, log=folder / "bad.log")
    assert (len(found), found.rows, len(found.bad)) == (2, 5, 3)
    assert [bad.split(":")[0] for bad in found.bad] == ["entry 2", "entry 3", "entry 5"]
    assert len((folder / "bad.log").read_text().splitlines()) == 3
    with pytest.raises(InputError, match="3 of 5 rows are bad, more than most_bad"):
        read_conversations(path, "llava")
    with pytest.raises(InputError, match="dialect: 'lava'; did you mean 'llava'"):
        read_conversations(path, "lava")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"gone\.json: no such file"):
        read_conversations(folder / "gone.json", "llava")
    with pytest.raises(InputError, match="no such image folder"):
        read_conversations(path, "llava", folder / "gone")


def test_questions_without_answers_are_predicted(folder: Path) -> None:
    rows = [
        {"image": "a.png", "conversations": FINE[:1]},
        {"image": "a.png", "conversations": [FINE[0], gpt("")]},
    ]
    assert [said(found) for found in read(folder, "llava", rows, require_answers=False)] == [ASKED[:1]] * 2
    prompts = st.records([{"prompt": [user("what?")]}], "generation", require_answers=False)
    assert said(prompts[0]) == [("user", ("what?",))]


def test_rows_that_share_an_image_at_any_place_stay_in_one_part(folder: Path) -> None:
    pairs = [("a.png", "b.png"), ("b.png", "c.png"), ("d.png", "e.png")]
    for number, name in enumerate("cde"):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(folder / f"{name}.png")
    asked = {"conversations": [human("<image><image>alike?"), gpt("no")]}
    rows = [{**asked, "image": list(pair)} for pair in pairs]
    (folder / "pairs.json").write_text(json.dumps(rows))
    whole = read_conversations(folder / "pairs.json", "llava")
    parts = [{*map(str, part.pictures())} for part in st.split_by_image(whole, 0.5, seed=0)]  # type: ignore[attr-defined]
    assert not parts[0] & parts[1]
    assert sorted(map(len, parts)) == [2, 3]
    digests = [digests_of(whole.select(chosen)) for chosen in ([0, 1], [0, 2])]
    assert digests[0]["images"] != digests[1]["images"]
    assert digests[0]["texts"] == digests[1]["texts"]


def test_a_question_beside_turns_is_theirs_only_for_generation(folder: Path) -> None:
    row = {"question": "what?", "answer": "red", "image": "a.png", "messages": [user("<image>what?"), assistant("red")]}
    assert said(st.records([row], "generation", images=folder)[0]) == ASKED
    assert st.records([row], images=folder)[0].text == "what?"


def test_tasks_on_single_texts_refuse_conversations(folder: Path) -> None:
    path = folder / "rows.jsonl"
    path.write_text(json.dumps(ROWS["llava"][0]))
    with pytest.raises(InputError, match="vqa"):
        read_conversations(path, "llava", **TASKS["vqa"].row_checks())


def test_a_large_list_is_never_whole_in_memory(folder: Path) -> None:
    row = json.dumps({"image": "a.png", "conversations": [human("<image>\n" + "what? " * 300), gpt("red")]})
    path = folder / "large.json"
    path.write_text(f"[{', '.join([row] * 3000)}]")
    tracemalloc.start()
    assert sum(1 for _ in read_lines(path)) == 3000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < path.stat().st_size / 5


def test_turns_keep_their_order_of_texts_and_images_in_a_table(folder: Path) -> None:
    (found,) = read(folder, "llava", [ROWS["llava"][1]])
    assert found.turns == (Turn("user", (None, None, "what?")), Turn("assistant", ("red",)))
    assert found.id == "x"
