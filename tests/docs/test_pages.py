"""What the README and the site tell a reader to type works: every command and all of the Python.

Commands that take minutes with their real models are run on a tiny finished run that stands where theirs would.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.main import get_command
from typer.testing import CliRunner, Result

from command_line import skiptune_process as in_own_process
from conftest import COLOURS, draw_square, write_recipe
from docs_pages import PAGES, ROOT, TUTORIALS, WITH_PYTHON, Page, every, words
from skiptune import Run, read_recipe
from skiptune.benchmarking.bench_models import parse_model
from skiptune.cli.main import app
from skiptune.running.packaged_recipes import packaged_recipes
from tiny_chat import save_tiny_llava

#: A command that starts with one of these takes minutes.
SLOW = ("skiptune run", "skiptune search", "skiptune train", "skiptune compare", "skiptune pretrain")
#: A command that starts with one of these ends when it is told to.
ENDLESS = ("skiptune serve", "skiptune demo")
#: Short commands that are run; the others of up to three words stand in sentences and leave out what they need.
WHOLE = ("skiptune init my-questions", "skiptune models", "skiptune --version", "skiptune report runs/kitchen")
#: Something that the reader has and we do not: a name in capitals, or a checkpoint.
PLACEHOLDER = re.compile(r"\b[A-Z]{3,}\b|\.ckpt|\.gguf|convert smollm2|user/name|…")


def parse(line: str) -> None:
    """Take a command line apart as the command line does, without running anything."""
    name, *arguments = words(line)[1:]
    if name.startswith("--") or name == "COMMAND":
        return
    command: Any = get_command(app).commands[name]  # type: ignore[attr-defined]
    if hasattr(command, "commands") and arguments:  # a group of commands
        name, *arguments = arguments
        command = command.commands[name]
    if arguments and arguments != ["--help"]:  # a bare name only says that the command exists
        try:
            command.make_context(name, arguments)
        except Exception as error:  # Click's own or Typer's copy of it
            if type(error).__name__ != "MissingParameter":  # in a sentence an option may stand alone
                raise


def type_in(folder: Path, line: str, monkeypatch: pytest.MonkeyPatch) -> Result:
    """Run a command in ``folder``, in this process."""
    monkeypatch.chdir(folder)
    return CliRunner().invoke(app, words(line)[1:])


def _chat(folder: Path, data_folder: Path) -> None:
    """A run of a model that writes, and what a reader asks it."""
    short = {"task": "generation", "budget": {"num_skip": 1}, "search": {"max_steps": 2}, "train": {"max_steps": 3}}
    answers = {"generation": {"max_new_tokens": 4}}
    model = str(save_tiny_llava(folder / "chat-model"))
    recipe = write_recipe(folder / "chat.yaml", data_folder, model=model, output="runs/chat", **short, **answers)
    Run(read_recipe(recipe, output=str(folder / "runs" / "chat"))).all()
    for number, name in enumerate(("left", "right")):
        Image.new("RGB", (40, 30), ("red", "blue")[number]).save(folder / f"{name}.jpg")
    asked = [{"type": "image"}, {"type": "text", "text": "what is red?"}]
    conversation = {"messages": [{"role": "user", "content": asked}], "images": ["left.jpg"]}
    (folder / "chat.json").write_text(json.dumps(conversation))


@pytest.fixture(scope="module")
def reader(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reader's directory: a small run wherever a page names one, questions, photographs and a picture."""
    folder = tmp_path_factory.mktemp("reader")
    recipe = write_recipe(folder / "kitchen.yaml", data_folder, output="runs/kitchen", search={"max_steps": 4})
    Run(read_recipe(recipe, output=str(folder / "runs" / "kitchen"))).all()
    named = {name for page in PAGES for name in re.findall(r"\bruns/[\w-]+", page.text)}
    for name in named - {"runs/kitchen", "runs/chat"}:
        shutil.copytree(folder / "runs" / "kitchen", folder / name)
    _chat(folder, data_folder)
    shutil.copytree(data_folder / "images", folder / "photos")
    for name in ("train", "test"):
        shutil.copy(data_folder / f"{name}.jsonl", folder / f"{name}.jsonl")
    shutil.copy(data_folder / "test.jsonl", folder / "questions.jsonl")
    shutil.copytree(data_folder / "images", folder / "my-questions" / "pictures")
    shutil.copy(data_folder / "train.jsonl", folder / "my-questions" / "questions.jsonl")
    draw_square(folder / "my-questions" / "pictures" / "kitchen.jpg", 22)
    shutil.copy(recipe, folder / "recipe.yaml")
    draw_square(folder / "picture.png", 21)
    draw_square(folder / "photos" / "kitchen.jpg", 22)
    return folder


def test_the_readme_names_commands_and_python() -> None:
    readme = next(page for page in PAGES if page.name == "README.md")
    assert len([line for line in readme.lines if line.startswith("skiptune ")]) >= 5
    assert readme.of_kind("python")


@pytest.mark.parametrize("line", every("skiptune ", TUTORIALS))
def test_commands_in_the_text_of_tutorials(line: str) -> None:
    parse(line)


@pytest.mark.parametrize("line", every("skiptune ", [page for page in PAGES if page not in TUTORIALS]))
def test_commands(line: str, reader: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if line.startswith("skiptune init"):
        (reader / "recipe.yaml").unlink(missing_ok=True)
    if PLACEHOLDER.search(line) or line.startswith(ENDLESS):
        parse(line)
    elif line.startswith("skiptune bench"):  # models of full size
        parse(line)
        assert all(parse_model(name) for name in words(line)[2:4] if name.startswith("vilt"))
    elif line.startswith(SLOW):
        parse(line)
        name = (words(line)[2:] or ["easy-vqa"])[0]
        assert name in packaged_recipes() or (reader / name).is_file() or (ROOT / name).is_file()
    elif len(words(line)) <= 3 and line not in WHOLE:
        parse(line)
    else:
        done = type_in(reader, line, monkeypatch)
        assert done.exit_code == 0, done.output
        assert done.stdout.strip()


@pytest.mark.parametrize("line", every("torchrun "))
def test_launched_commands(line: str) -> None:
    before, module, command = line.partition(" -m skiptune ")
    assert module
    assert before.startswith("torchrun --nproc-per-node ")
    parse(f"skiptune {command}")


@pytest.mark.parametrize("line", every("python "))
def test_scripts_exist_and_know_their_options(line: str) -> None:
    script, *arguments = words(line)[1:]
    source = (ROOT / script).read_text(encoding="utf-8")
    for option in (argument for argument in arguments if argument.startswith("--")):
        assert f'"{option}"' in source, option


@pytest.mark.parametrize("line", every("make "))
def test_make_knows_its_targets(line: str) -> None:
    assert re.search(rf"^{words(line)[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("line", every("pip install "))
def test_extras_exist(line: str) -> None:
    extras = re.search(r"\[(.*)\]", line)
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert all(re.search(rf"^{name} = \[", project, re.MULTILINE) for name in (extras[1].split(",") if extras else ()))


def test_every_line_of_a_console_block_is_of_a_kind_that_is_tested() -> None:
    typed = ("skiptune ", "python ", "make ", "pip install ", "torchrun ")
    console = [line for page in PAGES for text in page.of_kind("console") for line in text.splitlines()]
    assert [line for line in console if not line.startswith(typed)] == []


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
def test_steps_on_a_finished_run(line: str, said: str, reader: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = type_in(reader, line, monkeypatch)
    assert done.exit_code == 0, done.output
    assert said in done.stdout
    if "slim" in line:
        question = f"skiptune predict {words(line)[3]} picture.png 'what colour is it?' --json"
        again = type_in(reader, question, monkeypatch)
        assert {entry["answer"] for entry in json.loads(again.stdout)} == set(COLOURS)


def test_steps_in_a_process_of_their_own(reader: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(reader)
    done = in_own_process("predict", "runs/kitchen", "picture.png", "what colour is it?")
    assert done.returncode == 0, done.stderr
    assert "%" in done.stdout


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=[pytest.mark.slow] if "onnx" in page.name else []) for page in WITH_PYTHON],
    ids=lambda page: page.name,
)
def test_python(
    page: Page,
    reader: Path,
    base_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Blocks of a page in their order, after its exports; an experiment is one of a few steps."""
    import skiptune as st

    experiment = st.Experiment

    def short(*given: Any, **named: Any) -> Any:
        made = experiment(*given, **named)
        training = st.TrainConfig(max_steps=6, batch_size=8)
        return replace(made, search=st.SearchConfig(max_steps=3, interval=1), training=training)

    monkeypatch.setattr(st, "Experiment", short)
    for line in (line for line in page.lines if line.startswith("skiptune export") and not PLACEHOLDER.search(line)):
        assert type_in(reader, line, monkeypatch).exit_code == 0
    monkeypatch.chdir(reader)
    names: dict[str, Any] = {"__name__": "page"}
    for text in page.of_kind("python"):
        code = re.sub(r'"dandelin/[\w-]+"', repr(str(base_folder)), text)
        exec(compile(code, page.name, "exec"), names)
    printed = capsys.readouterr().out
    assert printed or "print(" not in "".join(page.of_kind("python"))
    if page.name == "README.md":
        assert "probability" in printed
        assert (reader / "slim" / "slim.safetensors").is_file()
