"""What the README and the recipes tell a reader to type works: every command, the Python, every recipe.

Commands that take minutes with their real models are run on a tiny finished run that stands where theirs would.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from conftest import COLOURS, draw_square, write_recipe
from skiptune import read_recipe
from skiptune.benchmarking.bench_models import parse_model
from skiptune.cli.main import app
from skiptune.running.recipe import packaged_recipes

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = [(match[1], match[2]) for match in re.finditer(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)]
INLINE = re.findall(r"`(skiptune [^`]+)`", README)
RECIPES = [*packaged_recipes().values(), *sorted((ROOT / "recipes").rglob("*.yaml"))]

#: What a reader has that the tests make small. A command that starts with one of these takes minutes.
SLOW = ("skiptune run", "skiptune search", "skiptune train", "skiptune compare", "skiptune pretrain")


def commands() -> list[str]:
    """Every ``skiptune`` command line of the README, in its order, without comments and repetitions."""
    lines = [line for kind, text in BLOCKS if kind in ("", "bash", "console") for line in text.splitlines()]
    comments = [line.removeprefix("# ") for kind, text in BLOCKS if kind == "yaml" for line in text.splitlines()[:1]]
    typed = [line.partition("#")[0].strip() for line in lines] + comments
    found = [line for line in (*typed, *(text.split(",")[0] for text in INLINE)) if line.startswith("skiptune ")]
    return list(dict.fromkeys(found))


def parse(line: str) -> None:
    """Take a command line apart as the command line does, without running anything."""
    name, *arguments = shlex.split(line)[1:]
    command = get_command(app).commands[name]  # type: ignore[attr-defined]
    if arguments and arguments != ["--help"]:  # a bare name only says that the command exists
        command.make_context(name, arguments)


@pytest.fixture(scope="module")
def reader(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reader's directory: a small run wherever the README names one, questions, photographs and a picture."""
    folder = tmp_path_factory.mktemp("reader")
    recipe = write_recipe(folder / "kitchen.yaml", data_folder, output="runs/kitchen", search={"max_steps": 4})
    done = subprocess.run(
        [sys.executable, "-m", "skiptune.cli", "run", recipe.name], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for name in set(re.findall(r"runs/[\w-]+", README)) - {"runs/kitchen"}:
        shutil.copytree(folder / "runs" / "kitchen", folder / name)
    shutil.copytree(data_folder / "images", folder / "photos")
    for name in ("train", "test"):
        shutil.copy(data_folder / f"{name}.jsonl", folder / f"{name}.jsonl")
    shutil.copy(data_folder / "test.jsonl", folder / "questions.jsonl")
    draw_square(folder / "picture.png", 21)
    draw_square(folder / "photos" / "kitchen.jpg", 22)
    return folder


def skiptune(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "skiptune.cli", *shlex.split(line)[1:]], cwd=folder, capture_output=True, text=True
    )


def test_the_readme_names_commands_and_python() -> None:
    assert len(commands()) >= 5
    assert any(kind == "python" for kind, _ in BLOCKS)


@pytest.mark.parametrize("line", commands())
def test_commands_of_the_readme(line: str, reader: Path) -> None:
    if re.search(r"[A-Z]{3,}|\.ckpt", line):  # a placeholder, e.g. OUTPUT, or a checkpoint that the reader has
        parse(line)
    elif line.startswith("skiptune bench"):  # models of full size
        parse(line)
        assert all(parse_model(name) for name in shlex.split(line)[2:4] if name.startswith("vilt"))
    elif line.startswith(SLOW):
        parse(line)
        name = (shlex.split(line)[2:] or ["easy-vqa"])[0]
        assert name in packaged_recipes() or (reader / name).is_file() or (ROOT / name).is_file()
    else:
        done = skiptune(reader, line)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("skiptune run kitchen.yaml", "report card: runs/kitchen/report.html"),  # finished: only goes through
        ("skiptune predict runs/kitchen picture.png 'what colour is it?'", "%"),
        ("skiptune evaluate runs/kitchen --data questions.jsonl --images photos/", "on 12 questions"),
        ("skiptune export runs/kitchen slim-export", "MiB"),
        ("skiptune export runs/kitchen slim-beside --form standalone", "MiB"),
        ("skiptune report runs/kitchen", "report.html"),
        ("skiptune models", "vilt-scenes"),
        ("skiptune --version", "."),
    ],
)
def test_steps_on_a_finished_run(line: str, said: str, reader: Path) -> None:
    done = skiptune(reader, line)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
    if "slim" in line:
        again = skiptune(reader, f"skiptune predict {shlex.split(line)[3]} picture.png 'what colour is it?' --json")
        assert {entry["answer"] for entry in json.loads(again.stdout)} == set(COLOURS)


def test_python_of_the_readme(
    reader: Path, base_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import skiptune as st

    short = {"max_steps": 3, "batch_size": 8}
    search, fit = st.search, st.fit
    monkeypatch.chdir(reader)
    config, training = st.SearchConfig(max_steps=3, interval=1), st.TrainConfig(**short)
    longer = st.TrainConfig(**{**short, "max_steps": 6})
    monkeypatch.setattr(
        st, "search", lambda model, given: search(model, replace(given, search=config, training=training))
    )
    monkeypatch.setattr(
        st, "fit", lambda model, given, plan, done: fit(model, replace(given, training=longer), plan, done=done)
    )
    assert skiptune(reader, "skiptune export runs/garden garden --form adapters").returncode == 0
    for text in (text for kind, text in BLOCKS if kind == "python"):
        code = re.sub(r'"dandelin/[\w-]+"', repr(str(base_folder)), text)
        exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    assert "probability" in capsys.readouterr().out
    assert (reader / "slim" / "slim.safetensors").is_file()


@pytest.mark.parametrize("text", [text for kind, text in BLOCKS if kind == "yaml"])
def test_recipes_in_the_readme_are_valid(text: str, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(text)
    assert read_recipe(tmp_path / "recipe.yaml").output


def test_rows_in_the_readme_are_read(tmp_path: Path) -> None:
    from skiptune import read_jsonl

    rows = next(text for _, text in BLOCKS if text.startswith('{"image"'))
    (tmp_path / "rows.jsonl").write_text(rows)
    for number, row in enumerate(rows.splitlines()):
        draw_square(tmp_path / json.loads(row)["image"], number)
    found = read_jsonl(tmp_path / "rows.jsonl", tmp_path)
    assert (len(found.items), found.bad) == (len(rows.splitlines()), [])


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_are_valid_and_start_with_their_command(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
    parse(first)
    named = shlex.split(first)[2]
    assert named == path.stem or (ROOT / named).resolve() == path.resolve()
    recipe = read_recipe(path)
    assert recipe.output == yaml.safe_load(path.read_text(encoding="utf-8"))["output"]


def test_links_of_the_readme_exist() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


@pytest.mark.parametrize(
    "name", sorted(set(re.findall(r"`make (\w+)`", README)) | set(re.findall(r"^make (\w+)", README, re.M)))
)
def test_make_knows_its_targets(name: str) -> None:
    assert re.search(rf"^{name}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
