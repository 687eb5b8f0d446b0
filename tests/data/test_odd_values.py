"""Odd values in every format: one bad record, named and counted, and never the others; or one stated meaning."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image

from skiptune import Entailment, InputError, Record, Vqa, load_processor
from skiptune.data.answers import answer_text, soft_scores
from skiptune.data.readers import json_array, json_lines
from skiptune.data.readers.arrow import read_arrow
from skiptune.data.readers.jsonl import read_jsonl
from skiptune.data.readers.karpathy import read_karpathy
from skiptune.data.readers.nlvr import read_nlvr, read_nlvr2
from skiptune.data.readers.snli_ve import read_snli_ve
from skiptune.data.readers.vqav2 import read_vqav2
from skiptune.data.records import Records

CASES = Path(__file__).parents[3] / "shared" / "cases"
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="the small inputs are not beside the checkout")
GOOD = 6
#: Values that are no text and no finite number, as a file writes them.
ODD = {
    "half a character": b'"\\ud83d"',
    "no UTF-8": b'"caf\xe9"',
    "blank": b'" \\t"',
    "empty": b'""',
    "NaN": b"NaN",
    "Infinity": b"-Infinity",
    "1e400": b"1e400",
    "5,000 digits": b"9" * 5000,
    "deep": b"[" * 300 + b"]" * 300,
    "too deep": b"[" * 100_000 + b"]" * 100_000,
    "a name twice": b'{"a": 1, "a": 2}',
    "an object": b'{"a": NaN}',
    "true": b"true",
}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for name in ("a.png", "a.jpg", "dev-0-0-img0.png", "dev-0-0-img1.png", "COCO_val2014_000000000001.jpg"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    return tmp_path


Format = tuple[dict[str, Any], str, Callable[[Path, Path], Records], bytes, bytes]
LINES = (b"", b"")
#: The third row, whatever the format calls it.
PLACES = {"line 3", "entry 3 of images", "image a.png", "entry 3 of questions", "question 99"}


def formats() -> Iterator[tuple[str, Format]]:
    """A good row, the field that is made odd, the reader, and what stands before and behind the rows in the file."""

    def at_most_half(read: Callable[..., Records], *given: Any, **checks: Any) -> Callable[[Path, Path], Records]:
        return lambda path, images: read(path, images, *given, most_bad=0.5, **checks)

    question = {"image": "a.png", "question": "q?", "answer": "red"}
    yield "jsonl question", (question, "question", at_most_half(read_jsonl), *LINES)
    yield "jsonl answer", (question, "answer", at_most_half(read_jsonl), *LINES)
    yield "jsonl image", (question, "image", at_most_half(read_jsonl), *LINES)
    statement = {"image": "a.png", "sentence": "s", "label": "neutral"}
    yield "jsonl label", (statement, "label", at_most_half(read_jsonl, labels=Entailment.choices), *LINES)
    pair = {"identifier": "dev-0-0-0", "sentence": "s", "label": "True"}
    yield "nlvr2", (pair, "identifier", at_most_half(read_nlvr2), *LINES)
    yield "nlvr", ({"image": "a.png", "sentence": "s", "label": "true"}, "sentence", at_most_half(read_nlvr), *LINES)
    hypothesis = {"gold_label": "neutral", "sentence2": "s", "Flickr30K_ID": "a", "pairID": "p"}
    yield "snli-ve", (hypothesis, "sentence2", at_most_half(read_snli_ve), *LINES)
    captioned = {"filename": "a.png", "split": "val", "sentences": [{"raw": "c"}]}
    array = b'{"other": [{"x": "]}"}], "images": [', b'], "dataset": "x"}'
    yield "karpathy", (captioned, "filename", at_most_half(read_karpathy, "val"), *array)

    def vqa(path: Path, images: Path) -> Records:
        text = path.read_bytes()
        (images / "questions.json").write_bytes(text.replace(b'"annotations"', b'"questions"'))
        return read_vqav2(images / "questions.json", path, images, "val2014", most_bad=0.5)

    annotated = {"image_id": 1, "question": "q?", "question_id": 1, "answers": [{"answer": "red"}] * 10}
    yield "vqav2", (annotated, "multiple_choice_answer", vqa, b'{"annotations": [', b"]}")


@pytest.mark.parametrize("odd", list(ODD))
@pytest.mark.parametrize(("name", "made"), list(formats()), ids=lambda value: value if isinstance(value, str) else "")
def test_one_odd_value_is_one_bad_record(name: str, made: Format, odd: str, images: Path) -> None:
    row, field, read, before, behind = made
    rows = [json.dumps({**row, "question_id": number} if name == "vqav2" else row).encode() for number in range(GOOD)]
    marked = json.dumps({**row, field: "@", **({"question_id": 99} if name == "vqav2" else {})}).encode()
    rows.insert(2, marked.replace(b'"@"', ODD[odd]))
    path = images / "rows.json"
    between = b",\n" if before else b"\n"
    path.write_bytes(b"\xef\xbb\xbf" + before + between.join(rows) + behind)  # with a byte-order mark
    found = read(path, images)
    if name == "vqav2" and odd in ("empty", "blank"):  # as where it is missing: the most common answer of all
        assert (len(found), found.bad) == (GOOD + 1, [])
        return
    assert len(found) == GOOD
    assert len(found.bad) == 1 or name == "vqav2"  # a broken row is one of both files there
    assert all(len(problem) < 1000 and problem.isprintable() for problem in found.bad)
    assert {problem.partition(":")[0] for problem in found.bad} & PLACES


def test_numbers_and_spaces_in_answers(images: Path) -> None:
    rows: list[tuple[str, dict[str, float]]] = [
        ('"answer": 2.0', {"2": 1.0}),
        ('"answer": 2e0', {"2": 1.0}),
        ('"answer": -0.0', {"0": 1.0}),
        ('"answer": 2.5', {"2.5": 1.0}),
        ('"answer": "2.0"', {"2.0": 1.0}),
        ('"answer": " two  dogs "', {"two  dogs": 1.0}),
        ('"answers": [2, 2.0, "2", 3]', {"2": pytest.approx(0.9), "3": 0.3}),
        ('"answers": ["red ", "red ", " red", "red"]', {"red": 1.0}),
        ('"answers": {"red ": 9, "red": 1}', {"red": 1.0}),
        ('"answers": {"red ": 1, "red": 1, "blue": 1}', {"red": 0.6, "blue": 0.3}),
        ('"answer": "red", "answers": ["red", "blue"]', {"red": 1.0, "blue": 0.3}),
        ('"answer": null, "answers": ["red"]', {"red": 0.3}),
        ('"answer": "red", "answers": []', {"red": 1.0}),
    ]
    path = images / "q.jsonl"
    path.write_text("".join(f'{{"image": "a.png", "question": "q?", {answer}}}\n' for answer, _ in rows))
    assert [record.answers for record in read_jsonl(path, images)] == [expected for _, expected in rows]
    bad = ['"answer": "green", "answers": ["red"]', '"answers": ["red", ""]', '"answers": ["red", null]']
    bad += [f'"answers": {{"red": {count}}}' for count in ("0", "true", "NaN", "1e400", "null")] + ['"answers": "red"']
    path.write_text("".join(f'{{"image": "a.png", "question": "q?", {answer}}}\n' for answer in bad))
    with pytest.raises(InputError, match=r"9 of 9 rows are bad:(?s:.)*'green' is not among answers"):
        read_jsonl(path, images)


def test_names_keep_their_spaces_and_joined_files_their_rows(images: Path) -> None:
    Image.new("RGB", (8, 8)).save(images / " leading.png")
    row = json.dumps({"image": " leading.png", "question": " q? ", "answer": "x"}).encode() + b"\n"
    (images / "q.jsonl").write_bytes(b"\xef\xbb\xbf" + row + b"\xef\xbb\xbf" + row)  # two files behind each other
    found = read_jsonl(images / "q.jsonl", images)
    assert [(record.image, record.text) for record in found] == [(images / " leading.png", "q?")] * 2


def test_rows_without_end_are_not_held_in_memory(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (json_array, json_lines):
        monkeypatch.setattr(module, "LONGEST", 1000)
    monkeypatch.setattr(json_array, "_CHUNK", 100)
    row = json.dumps({"image": "a.png", "question": "q?", "answer": "x"})
    (images / "q.jsonl").write_text(f"{row}\n{'x' * 5000}\n{row}\n")
    found = read_jsonl(images / "q.jsonl", images, most_bad=0.5)
    assert (len(found), found.bad) == (2, ["line 2: longer than 1,000 characters"])
    (images / "a.json").write_text(
        '{"before": ["' + "x]" * 400 + '"' + ', {"y": [1]}' * 4000 + '], "a": [1, "' + "x" * 5000
    )
    read = json_array.read_array(images / "a.json", "a")
    assert next(read) == ("entry 1 of a", 1)
    with pytest.raises(InputError, match="a value does not end"):
        next(read)


@pytest.mark.parametrize(
    "text", ['{"a": [1,]}', '{"a": [,1]}', '{"a": [1}', '{"a" [1]}', '{"a": [1]} 2', "{1: [1]}", '{"a": [1], }', "{"]
)
def test_files_that_are_no_json_are_refused(images: Path, text: str) -> None:
    (images / "a.json").write_text(text)
    with pytest.raises(InputError, match=r"a\.json: not valid JSON"):
        list(json_array.read_array(images / "a.json", "a"))


def test_okvqa_names_no_most_common_answer(images: Path) -> None:
    answers = [{"answer": answer, "raw_answer": answer} for answer in ["race ", "race", "ride", 2, ""] * 2]
    (images / "OpenEnded_mscoco_val2014_questions.json").write_text(
        json.dumps({"questions": [{"image_id": 1, "question": "q?", "question_id": 7.0}]})
    )
    (images / "mscoco_val2014_annotations.json").write_text(
        json.dumps({"annotations": [{"question_id": 7, "answers": answers}]})
    )
    (record,) = read_vqav2(*sorted(images.glob("*_val2014_[qa]*.json")), images)
    assert (record.majority, record.id) == ("race", "7")
    assert record.answers == {"race": 1.0, "ride": 0.6, "2": 0.6}
    assert soft_scores(record.given) == record.answers


def test_parts_that_are_none_are_told(images: Path) -> None:
    rows = [
        {"filename": "a.png", "split": part, "sentences": [{"raw": "c"}]} for part in ("val", "test", "vol", ["val"])
    ]
    (images / "k.json").write_text(json.dumps({"images": rows}))
    found = read_karpathy(images / "k.json", images, "val", most_bad=0.7)
    assert (len(found), [text.partition(" is none")[0] for text in found.bad]) == (
        1,
        ["entry 3 of images: split: 'vol'", "entry 4 of images: split: ['val']"],
    )


def test_odd_values_in_tables(images: Path) -> None:
    picture = (images / "a.png").read_bytes()
    bad_text = pa.array([b"q?", b"caf\xe9", b"q?", b"q?", b"q?"]).cast(pa.binary()).view(pa.string())
    answers = [["red"], ["red"], [None], ["red", "red "], ["red"]]
    scores = [[1.0], [1.0], [1.0], [0.3, 0.6], [float("nan")]]
    columns = {
        "image": [picture] * 5,
        "questions": pa.ListArray.from_arrays(pa.array(range(6), pa.int32()), bad_text),
        "answers": [[row] for row in answers],
        "answer_scores": [[row] for row in scores],
        "question_id": [[number] for number in range(5)],
    }
    table = pa.table(columns)
    with pa.OSFile(str(images / "t.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    found = read_arrow(images / "t.arrow", most_bad=0.7)
    assert [record.id for record in found] == ["0", "3"]
    assert [text.partition(":")[0] for text in found.bad] == ["row 1", "row 2, element 0", "row 4, element 0"]


# Values given in Python ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("image", 5, "image: 5 is no image"),
        ("image", "", "image: '' is no image"),
        ("text", None, "text: None is not a text"),
        ("text", "\ud83d", "which is no character"),
        ("answers", "red", "answers: 'red' is not a mapping"),
        ("answers", ["red"], r"answers: \['red'\] is not a mapping"),
        ("answers", {" ": 1}, "answers: ' ' is neither a text nor a finite number"),
        ("answers", {"red": float("nan")}, "the score nan of 'red' is not in"),
        ("answers", {"red": 10**400}, "the score .* of 'red' is not in"),
        ("answers", {10**5000: 1}, "thousands of digits"),
        ("label", " ", "label: ' ' is no label"),
        ("label", 2**63, "label: 9223372036854775808 is no label"),
        ("label", 0.5, "label: 0.5 is no label"),
        ("labels", "red", "labels: 'red' is neither a list"),
        ("labels", [0, 1, 1], "labels: .* has 1 twice"),
        ("labels", {"red": 1.5}, "the score 1.5 of 'red' is not in"),
        ("labels", {"red": "high"}, "labels: the score of 'red': 'high' is not a finite number"),
        ("value", "5", "value: '5' is not a finite number"),
        ("value", True, "value: True is not a finite number"),
        ("value", float("nan"), "value: nan is not a finite number"),
        ("captions", "a dog", "captions: 'a dog' is not a list of texts"),
        ("captions", ["a dog", ""], "holds a blank text"),
        ("given", ["red", 2], "given: 2 is not a text"),
        ("id", None, "id: None is not a text"),
        ("group", 1.5, "group: 1.5 is not a text"),
    ],
)
def test_values_given_in_python_are_refused(field: str, value: object, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Record(**{"image": Path("a.png"), field: value})


def test_values_given_in_python_are_kept_in_one_form() -> None:
    record = Record("a.png", answers={"red ": 0.3, "red": 0.3, 2.0: 1}, captions=["c"], label=True, id=7)  # type: ignore[arg-type]
    assert record == Record(Path("a.png"), answers={"red": 0.6, "2": 1.0}, captions=("c",), label=1, id="7")
    assert type(record.label) is int
    assert [answer_text(value) for value in (2, 2.0, 1e300, 0.1)] == ["2", "2", "1e+300", "0.1"]
    assert [entry.id for entry in Records.of([record])] == ["7"]
    with pytest.raises(InputError, match="no character"):
        Records.of([Record(Path("\udc80.png"))])


def test_tasks_take_processors_and_records_only(images: Path) -> None:
    record = Record(images / "a.png", "q?", {"red": 1.0, "blue": 0.3})
    with pytest.raises(InputError, match="processor: 'vilt-tiny' is none; give that of load_processor"):
        Vqa.from_records("vilt-tiny", [record])
    processor = load_processor("vilt-tiny")
    assert Vqa.from_records(processor, iter([record])).answers == ("blue", "red")  # type: ignore[arg-type]
    for given, message in (
        ("train.jsonl", "expected rows or records"),
        ([{"image": "a.png"}], "rows are bad"),
        (5, "int"),
    ):
        with pytest.raises(InputError, match=message):
            Vqa.from_records(processor, given)  # type: ignore[arg-type]


# The small inputs ---------------------------------------------------------------------------------------------------


@needs_cases
@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [("ev_hugeint", 12, [13]), ("nan_and_empty_answers", 40, [*range(41, 47)]), ("float_answers", 4, [])],
)
def test_small_inputs(name: str, good: int, bad: list[int], images: Path) -> None:
    for picture in [f"{number:03d}.png" for number in range(48)] + ["plain.png", " leading.png"]:
        Image.new("RGB", (8, 8)).save(images / picture)
    found = read_jsonl(CASES / "2_jsonl" / f"{name}.jsonl", images)
    assert len(found) == good
    assert [text.partition(":")[0] for text in found.bad] == [f"line {number}" for number in bad]
    if name == "float_answers":
        assert [list(record.answers) for record in found] == [["1"], ["2"], ["2"], ["2"]]
        (record,) = read_jsonl(CASES / "2_jsonl" / "leading_space_name.jsonl", images)
        assert record.image == images / " leading.png"
        (record,) = read_jsonl(CASES / "2_jsonl" / "ints_in_list.jsonl", images)
        assert record.answers == {"2": 0.6, "3": 0.3}
        spaces = read_jsonl(CASES / "2_jsonl" / "spaces.jsonl", images)
        assert [record.answers for record in spaces] == [{"red": 1.0}] * 2


def test_odd_values_in_datasets(images: Path) -> None:
    """Counts as a mapping, numbers that became floats beside a missing one, and a label that datasets writes as -1."""
    datasets = pytest.importorskip("datasets")
    from skiptune.data.readers.hf_dataset import read_dataset

    rows = [{"image": "a.png", "question": "q?", "answers": {answer: 2}} for answer in ("red", "blue ")]
    (images / "mappings").mkdir()
    (images / "mappings" / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8-sig")
    found = read_dataset(images / "mappings", images=images)
    assert [record.answers for record in found] == [{"red": 0.6}, {"blue": 0.6}]
    columns = {"image": ["a.png"] * 3, "question": ["q?"] * 3, "answer": [2.0, None, float("nan")]}
    datasets.Dataset.from_dict(columns).save_to_disk(str(images / "floats"))
    found = read_dataset(images / "floats", images=images, most_bad=0.7)
    assert ([record.answers for record in found], len(found.bad)) == ([{"2": 1.0}], 2)
    features = datasets.Features(
        image=datasets.Value("string"), sentence=datasets.Value("string"), label=datasets.ClassLabel(names=["neutral"])
    )
    labelled = {"image": ["a.png"] * 2, "sentence": ["s"] * 2, "label": [0, -1]}
    datasets.Dataset.from_dict(labelled, features=features).save_to_disk(str(images / "labels"))
    found = read_dataset(images / "labels", images=images, most_bad=0.5)
    assert ([record.label for record in found], found.bad[0].partition(" is")[0]) == ([1], "row 1: label: None")
