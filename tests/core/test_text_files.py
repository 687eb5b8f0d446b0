"""Files that people write or programs left: read in under a second, or refused by a sentence that names the file."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from skiptune import InputError, read_recipe
from skiptune.core.text_files import read_json, read_text
from skiptune.core.yaml_text import parse_yaml

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 12)
)
MERGES = "m0: &m0 {a: 1, b: 2}\n" + "".join(
    f"m{level}: &m{level} {{<<: [{', '.join([f'*m{level - 1}'] * 40)}]}}\n" for level in range(1, 9)
)
DEEP = 10_000
#: Seconds of the processor. What grows with the square of the text, or by itself, takes minutes.
_SOON = 5
BAD_YAML = {
    "budget:\n  num_skip: 1\n  num_skip: 2\n": "'num_skip' is there twice; keep one of them",
    "{a: 1, b: 2, a: 3}": "'a' is there twice",
    "[" * DEEP: "64 deep inside each other",
    "a: " + "{a: " * DEEP: "64 deep inside each other",
    "- " * DEEP + "x": "64 deep inside each other",
    "a: &a [*a]": "64 deep inside each other",
    "a: &a {b: *a}": "64 deep inside each other",
    BOMB: "more than 10,000 values; do its aliases",
    f"a: &a {{x: 1}}\nb: {{<<: [{', '.join(['*a'] * 51)}]}}": "more than 50 entries are merged by <<",
    f"seed: {'7' * 5_000}": "a number of 5,000 characters; at most 300 are read",
    f"seed: 0x{'7' * 5_000}": "a number of 5,002 characters",
    "seed: 0b_": "cannot be read as int",
    "!!int twelve": "cannot be read as int",
    "!!float many": "cannot be read as float",
    "!!bool perhaps": "cannot be read as bool",
    "!!timestamp 2024-02-30": "cannot be read as timestamp",
    "!!timestamp soon": "cannot be read as timestamp",
    "at: !!timestamp 2024-02-03": "at: a date cannot be used here",
    "!!python/object/apply:os.system [true]": "could not determine a constructor",
    "a: !!set {x, y}": "a: a set cannot be used here",
    "a: !!binary aGVsbG8=": "a: a bytes cannot be used here",
    'a: "\\UFFFFFFFF"': "not valid YAML",
    'a: "\\uD800"': r"a: '\ud800' holds half a character",
    '"\\uDFFF": 1': "holds half a character",
    "a: \0": "not valid YAML",
    "a: [1, 2": "not valid YAML",
    "a: 1\n---\nb: 2": "expected a single document",
    "? [a]\n: 1": "found unhashable key",
}
BAD_JSON = {
    '{"a": 1, "a": 2}': "'a' is there twice",
    '{"a": {"b": 1, "b": 1}}': "'b' is there twice",
    "[" * DEEP: "64 deep inside each other",
    "[" * 65 + "]" * 65: "64 deep inside each other",
    f'{{"a": {"7" * 5_000}}}': "a number of 5,000 characters; at most 300 are read",
    '{"a": "\\ud800"}': r"a: '\ud800' holds half a character",
    '{"\\udc00": 1}': "holds half a character",
    '{"a": 1': "not valid JSON at line 1",
    "": "not valid JSON at line 1",
}


@pytest.mark.parametrize(("text", "said"), [*BAD_YAML.items(), *BAD_JSON.items()], ids=lambda text: text[:20])
def test_odd_recipes_are_a_sentence_soon(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / ("recipe.json" if text in BAD_JSON else "recipe.yaml")
    path.write_text(text, encoding="utf-8")
    before = time.process_time()
    with pytest.raises(InputError) as refused:
        read_recipe(path)
    assert time.process_time() - before < _SOON
    assert said in str(refused.value)
    assert str(refused.value).startswith(f"{path}: ")
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize("text", list(BAD_JSON), ids=lambda text: text[:20])
def test_every_json_file_is_read_alike(text: str, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(InputError, match=r"plan\.json: "):
        read_json(tmp_path / "plan.json")


def test_the_largest_recipes_are_read_soon(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    for text in ("1_" * 32_000, "1" * 60_000 + ":", "a: " + "'" * 60_000, "x: 1\n? " * 8_000, "[a, " * 16_000):
        path.write_text(text)
        before = time.process_time()
        with pytest.raises(InputError):
            read_recipe(path)
        assert time.process_time() - before < _SOON, text[:20]
    path.write_text(MERGES)
    with pytest.raises(InputError):  # some versions of PyYAML drop merged keys that are there twice
        read_recipe(path)
    path.write_text("#" * 2**16 + "\n")
    with pytest.raises(InputError, match="larger than 65,536 bytes; not a file of this kind"):
        read_recipe(path)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    for content in (b"\xff\xfe{\x00}\x00", b"\x89PNG\r\n\x1a\n", b"a: \xc3\x28", "a: ä".encode("latin-1")):
        path.write_bytes(content)
        with pytest.raises(InputError, match="not a UTF-8 text file"):
            read_recipe(path)
    with pytest.raises(InputError, match="not a file; name a text file"):
        read_recipe(tmp_path)
    with pytest.raises(InputError, match="no such file or packaged recipe"):
        read_recipe("demo\0")
    with pytest.raises(InputError, match="no path can be like this"):
        read_json(Path("plan\0.json"))


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    for name, content in (("a.json", '{"a": 1}'), ("a.yaml", "a: 1")):
        (tmp_path / name).write_text(content, encoding="utf-8-sig")
        assert read_text(tmp_path / name) == content
        with pytest.raises(InputError, match="a: unknown field"):
            read_recipe(tmp_path / name)


def test_ordinary_yaml_is_read_as_before() -> None:
    text = "base: &base {a: 1, b: 2}\nown: {<<: *base, b: 3}\nboth: {<<: [*base, {c: 4}]}\nday: 2024-02-30\nmask: 0x1F"
    assert parse_yaml(text, "text") == {
        "base": {"a": 1, "b": 2},
        "own": {"a": 1, "b": 3},
        "both": {"a": 1, "b": 2, "c": 4},
        "day": "2024-02-30",
        "mask": 31,
    }
    assert parse_yaml("[-0, 017, 1_000, 1e-3, 1:30, 1:30.5]", "text") == [0, 17, 1000, 0.001, "1:30", "1:30.5"]
    assert json.loads("[" * 60 + "]" * 60) == parse_yaml("[" * 60 + "]" * 60, "text")


def test_of_several_settings_of_a_field_the_last_counts_and_long_ones_are_quoted_in_part(
    tiny_recipe: Callable[..., Path],
) -> None:
    recipe = tiny_recipe()
    assert read_recipe(recipe, ["train.batch_size=4", "train.batch_size=6"]).train.batch_size == 6
    for value in ("[" * 10_000, "7" * 5_000, "&a [*a]", '"\\ud800"', "[" + "x, " * 5_000 + "]"):
        with pytest.raises(InputError, match=r"train\.batch_size") as refused:
            read_recipe(recipe, [f"train.batch_size={value}"])
        assert len(str(refused.value)) < 800
