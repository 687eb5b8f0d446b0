"""The surfaces that bad input reaches, each a strategy of bad inputs and a check of the outcome."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer
from bad_input import BadInput, Outcome
from generated import Splice, changed_document, damage, damaged, values, whole, with_value
from hypothesis import strategies as st
from workspace import Workspace, pictures, published, questions

from skiptune.cli.main import app

PREDICT = ("predict", "{here}/slim", "{workspace}/images/0.png", "what colour is it?", "--json")


# Recipes --------------------------------------------------------------------------------------------------------------

_YAML_ONLY = (
    "a: &a [x]\nb: &b [*a, *a]\n", "output: !!python/object/apply:os.system ['true']\n", "output: 2024-99-99\n",
    "output: 2024-02-30 25:61:00\n", "? [a, b]\n: c\n", "<<: *nowhere\n", "output: !!binary x\n", "output: !!int x\n",
    "\tx: 1\n", "x: |\n", "%TAG ! x\n---\n", "--- a\n--- b\n", "output: !!timestamp x\n", "<<: [1, 2]\nb: 1\n",
    "x: !!set {a, b}\n", "x: !!omap [a]\n", "x: 0x" + "f" * 5000 + "\n", "x: 1" + "_0" * 5000 + "\n",
    "x: 1:" + "59:" * 3000 + "59\n", "a0: &a0 [x, x]\n" + "".join(
        f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}]\n" for n in range(1, 30)
    ),
)  # fmt: skip


def recipes(workspace: Workspace) -> st.SearchStrategy[BadInput]:
    """Recipes with something wrong, told to skip all four blocks: one that is fine otherwise would train."""

    @st.composite
    def make(draw: st.DrawFn) -> BadInput:
        recipe = {**workspace.recipe, "output": "{workspace}/another"}
        how = draw(st.sampled_from(("document", "document", "document", "yaml", "bytes")))
        if how == "yaml":
            content = draw(st.sampled_from(_YAML_ONLY)).encode() + b"\n"
        else:
            content = draw(changed_document(recipe)).encode("utf-8", "surrogatepass")
            content = draw(damaged(content)) if how == "bytes" else content
        name = draw(st.sampled_from(("recipe.yaml", "recipe.json")))
        command = draw(st.sampled_from(("run", "search", "train", "compare")))
        cannot_work = ("--set", "model=vilt-tiny", "--set", "budget.num_skip=4")
        return BadInput("recipe", (command, f"{{here}}/{name}", *cannot_work), {name: whole(content)})

    return make()


def check_refused(bad: BadInput, outcome: Outcome, here: Path, workspace: Workspace) -> None:
    """It is refused, and nothing was begun."""
    assert outcome.refused, outcome.out
    assert not (workspace.folder / "another").exists()


# Rows of data ---------------------------------------------------------------------------------------------------------

_GOOD = 12


def rows(workspace: Workspace) -> st.SearchStrategy[BadInput]:
    """Twelve good rows, and up to two among them with something wrong."""
    good = questions(_GOOD)
    odd_row = st.one_of(
        st.builds(
            lambda name, text: with_value(good[0], (name,), text).encode("utf-8", "surrogatepass"),
            st.sampled_from(("image", "question", "answer", "answers", "id", "image2", "label", "captions")),
            values,
        ),
        changed_document(good[0]).map(lambda text: text.encode("utf-8", "surrogatepass")),
        damaged(json.dumps(good[0]).encode()),
    ).map(lambda line: line.replace(b"\n", b" ").replace(b"\r", b" ") or b"[]")

    @st.composite
    def make(draw: st.DrawFn) -> BadInput:
        lines = [json.dumps(row).encode() for row in good]
        for line in draw(st.lists(odd_row, min_size=1, max_size=2)):
            lines.insert(draw(st.integers(0, len(lines))), line)
        mark = draw(st.sampled_from((b"", b"", b"\xef\xbb\xbf")))
        arguments = ("--data", "{here}/rows.jsonl", "--images", "{workspace}/images", "--json", "--predictions")
        return BadInput(
            "rows",
            ("evaluate", "{workspace}/run", *arguments, "{here}/predictions.jsonl"),
            {"rows.jsonl": whole(mark + b"\n".join(lines))},
        )

    return make()


def check_rows(bad: BadInput, outcome: Outcome, here: Path, workspace: Workspace) -> None:
    """Every good row is answered; every other one is answered or counted."""
    assert not outcome.refused, outcome.err
    found = json.loads(outcome.out)
    lines = [
        line
        for line in bad.files["rows.jsonl"].inserted.split(b"\n")
        if line.strip(b"\xef\xbb\xbf \t\v\f\x1c\x1d\x1e\x1f\x85")
    ]
    written = [json.loads(line) for line in (here / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(written) + found["bad_rows"] == len(lines)
    assert {f"good-{number}" for number in range(_GOOD)} <= {row["id"] for row in written}


# Published formats ----------------------------------------------------------------------------------------------------


def formats(workspace: Workspace) -> st.SearchStrategy[BadInput]:
    """Files of published sets with something wrong in one of them."""
    documents = published(12)

    @st.composite
    def make(draw: st.DrawFn) -> BadInput:
        name = draw(st.sampled_from(("vqav2", "snli_ve", "karpathy")))
        options: tuple[str, ...] = ()
        if name == "vqav2":
            files = {
                "v2_OpenEnded_mscoco_train2014_questions.json": json.dumps(documents["vqav2-questions"]).encode(),
                "annotations.json": json.dumps(documents["vqav2-annotations"]).encode(),
            }
            options = ("--annotations", "{here}/annotations.json")
            which = draw(st.sampled_from(sorted(files)))
            document = documents["vqav2-annotations" if which == "annotations.json" else "vqav2-questions"]
        elif name == "snli_ve":
            which, document = "snli_ve_test.jsonl", documents["snli-ve"]
            files = {}
        else:
            which, document = "dataset.json", documents["karpathy"]
            files, options = {}, ("--split", "test")
        if name == "snli_ve":
            row = draw(st.integers(0, len(document) - 1))
            lines = [json.dumps(entry) for entry in document]
            lines[row] = draw(changed_document(document[row]))
            content = "\n".join(lines).encode("utf-8", "surrogatepass")
        else:
            content = draw(changed_document(document)).encode("utf-8", "surrogatepass")
        content = draw(damaged(content)) if draw(st.booleans()) else content
        files[which] = content
        changes = {name: whole(text) for name, text in files.items()}
        data = which if name != "vqav2" else "v2_OpenEnded_mscoco_train2014_questions.json"
        arguments = ("evaluate", "{workspace}/run", "--format", name, "--data", f"{{here}}/{data}", *options)
        return BadInput("format", (*arguments, "--images", "{workspace}/images", "--json"), changes)

    return make()


def check_nothing(bad: BadInput, outcome: Outcome, here: Path, workspace: Workspace) -> None:
    """That it ended with a result or a sentence is all that can be said."""


# Pictures -------------------------------------------------------------------------------------------------------------


def images(workspace: Workspace) -> st.SearchStrategy[BadInput]:
    """Damaged pictures of every format."""
    found = pictures()

    @st.composite
    def make(draw: st.DrawFn) -> BadInput:
        name = draw(st.sampled_from(sorted(found)))
        arguments = ("predict", "{workspace}/run", f"{{here}}/{name}", "what colour is it?", "--json")
        return BadInput("image", arguments, {name: whole(draw(damaged(found[name])))})

    return make()


# Checkpoints and slim models ------------------------------------------------------------------------------------------


@st.composite
def file_change(draw: st.DrawFn, path: Path) -> Splice:
    """Damage to a file; JSON may also have another value somewhere."""
    content = path.read_bytes()
    if path.suffix == ".json" and draw(st.booleans()):
        return whole(draw(changed_document(json.loads(content))).encode("utf-8", "surrogatepass"))
    return draw(damage(content))


def weights(workspace: Workspace) -> st.SearchStrategy[BadInput]:
    """A base model with a damaged file."""

    @st.composite
    def make(draw: st.DrawFn) -> BadInput:
        name = draw(st.sampled_from(workspace.files("base")))
        change = draw(file_change(workspace.folder / "base" / name))
        command = draw(st.sampled_from(("cost", "bench")))
        options = ("--json",) if command == "cost" else ("--repeats", "2", "--warmup", "0", "--no-memory", "--json")
        return BadInput("weights", (command, "{here}/base", *options), {f"base/{name}": change}, ("base", "base"))

    return make()


def checkpoints(workspace: Workspace) -> st.SearchStrategy[BadInput]:
    """A damaged checkpoint of the original code, converted."""
    names = [name for name in workspace.files(".") if name.startswith("original.")]

    @st.composite
    def make(draw: st.DrawFn) -> BadInput:
        name = draw(st.sampled_from(names))
        change = draw(damage((workspace.folder / name).read_bytes()))
        return BadInput(
            "checkpoint", ("convert", f"{{here}}/{name}", "{here}/out", "--task", "vqa"), {name: change}, (name, name)
        )

    return make()


def slim_models(workspace: Workspace) -> st.SearchStrategy[BadInput]:
    """A slim model with a damaged file."""

    @st.composite
    def make(draw: st.DrawFn) -> BadInput:
        folder = draw(st.sampled_from(("run/slim", "adapters")))
        name = draw(st.sampled_from(workspace.files(folder)))
        change = draw(file_change(workspace.folder / folder / name))
        return BadInput("slim", PREDICT, {f"slim/{name}": change}, (folder, "slim"))

    return make()


def check_as_before(bad: BadInput, outcome: Outcome, here: Path, workspace: Workspace) -> None:
    """What was damaged is noticed, unless the answer is the same."""
    if not outcome.refused:
        assert outcome.out == (workspace.folder / "answer.json").read_text(encoding="utf-8")


# Run directories ------------------------------------------------------------------------------------------------------


def runs(workspace: Workspace) -> st.SearchStrategy[BadInput]:
    """A finished run with a damaged file, reported, exported or run again."""

    @st.composite
    def make(draw: st.DrawFn) -> BadInput:
        names = [name for name in workspace.files("run") if not name.endswith((".html", ".md", ".png"))]
        name = draw(st.sampled_from(names))
        change = draw(file_change(workspace.folder / "run" / name))
        arguments = draw(
            st.sampled_from(
                (("report", "{here}/run"), ("export", "{here}/run", "{here}/exported"),
                 ("run", "{workspace}/recipe.yaml", "--output", "{here}/run"))
            )
        )  # fmt: skip
        return BadInput("run", arguments, {f"run/{name}": change}, ("run", "run"))

    return make()


def check_run(bad: BadInput, outcome: Outcome, here: Path, workspace: Workspace) -> None:
    """What was damaged is noticed, unless what is reported and exported is the same."""
    if outcome.refused:
        return
    run, before = here / "run", workspace.folder / "run"
    if "export" in bad.arguments:
        name = "slim.safetensors"
        assert (here / "exported" / name).read_bytes() == (before / "slim" / name).read_bytes()
        return
    for name in ("results.json", "report.md"):
        found, expected = ((folder / name).read_text(encoding="utf-8") for folder in (run, before))
        assert found.replace(run.as_posix(), before.as_posix()) == expected, name


# Command lines --------------------------------------------------------------------------------------------------------


def command_lines(workspace: Workspace) -> st.SearchStrategy[BadInput]:
    """Commands with any of their options and any value."""
    group: Any = typer.main.get_command(app)
    safe = values.map(lambda text: text.replace("\0", "").lstrip("/~-")[:10_000]).filter(lambda text: ".." not in text)
    places = st.sampled_from(
        [f"{{workspace}}/{name}" for name in ("run", "adapters", "base", "images", "images/0.png", "recipe.yaml")]
        + ["{here}", "{here}/new", "vilt-tiny", ""]
    )

    @st.composite
    def make(draw: st.DrawFn) -> BadInput:
        name = draw(st.sampled_from(sorted(set(group.commands) - {"pretrain", "run", "search", "train", "compare"})))
        command, begun = group.commands[name], (name,)
        if name == "data":
            command, begun = command.commands["check"], ("data", "check")
        arguments = draw(st.lists(st.one_of(places, safe), max_size=4))
        options = [option for parameter in command.params for option in parameter.opts if option.startswith("--")]
        for _ in range(draw(st.integers(0, 3)) if options else 0):
            arguments += [draw(st.sampled_from(options)), draw(st.one_of(places, safe))]
        quick = ("--repeats", "2", "--warmup", "0", "--no-memory") if name == "bench" else ()
        return BadInput("command", (*begun, *arguments, *quick))

    return make()
