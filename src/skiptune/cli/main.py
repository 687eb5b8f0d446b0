"""The command line. Wrong input ends with exit code 2, failed work with 1, each with a sentence, never a traceback."""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.distributed import alike, leave, on_main, processes, rank
from ..core.errors import InputError, PeerError, RunError
from ..core.process import best_device, is_disk_failure, is_memory_failure, keep_freed_memory, quiet_libraries
from ..version import __version__

if TYPE_CHECKING:
    from ..running.recipe import Recipe
    from ..running.run import Run

#: Seconds that a process waits for the one that failed to say why: the launcher ends all as soon as one has ended.
_COURTESY = 2.0

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
    help="Adapt a vision-language Transformer with a few percent of its parameters and fewer operations.\n\n"
    "A first run: [bold]skiptune run easy-vqa-demo[/bold]. Its recipe names the data, the model and how many blocks to "
    "skip; copy it to start your own. See [bold]skiptune models[/bold] for models and recipes.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    if processes() > 1 and context.invoked_subcommand not in ("run", "search", "train"):
        raise alike(InputError(f"skiptune {context.invoked_subcommand} works in one process; start it by itself"))


RecipeArgument = Annotated[str, typer.Argument(help="A recipe file, or the name of a packaged recipe.")]
OutputOption = Annotated[
    str | None, typer.Option("--output", "-o", help="Directory of the run, instead of the recipe's.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", help="Change a field of the recipe, e.g. --set train.epochs=2. May be repeated."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else on standard output.")]
BaseOption = Annotated[str | None, typer.Option("--base", help="Where the base model is, for an adapters-only export.")]
BackendOption = Annotated[
    str | None,
    typer.Option("--backend", help="torch, onnx or onnx-int8; by default the first of them that the directory holds."),
]


@app.command()
def run(recipe: RecipeArgument, output: OutputOption = None, set: SetOption = None) -> None:
    """Search, train, evaluate, export and time, as the recipe says; ends with a report card.

    Run the same command again after an interruption: it goes on where it was and ends with the same result.
    """
    runner = _job(recipe, output, set)
    results = runner.all()
    if rank() == 0:
        _summary(results)
        typer.echo(f"report card: {runner.folder / 'report.html'}\nslim model:  {runner.folder / 'slim'}")


@app.command()
def search(
    recipe: RecipeArgument,
    output: OutputOption = None,
    set: SetOption = None,
    strategy: Annotated[
        str | None, typer.Option(help="How to choose, instead of the recipe's search.strategy.")
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Let several strategies choose: all, or those of --strategy a,b,c.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Only find the blocks to skip; the plan is written to plan.json in the run's directory.

    With --compare several strategies search, their plans are judged by one yardstick, and compare/ in the run's
    directory gets a table, a plot and every plan; the run itself is left as it is.
    """
    if compare:
        _compare(recipe, output, set, strategy, as_json)
        return
    runner = _job(recipe, output, [*(set or []), *([f"search.strategy={strategy}"] if strategy else [])])
    runner.check()
    plan = runner.search()
    if rank() == 0 and as_json:
        typer.echo(json.dumps({"skipped": plan.skipped, "preferences": plan.preferences, "details": plan.details}))
    elif rank() == 0:
        typer.echo(f"skip {', '.join(plan.skipped) or 'nothing'}  ({runner.folder / 'plan.json'})")


@app.command()
def compare(
    recipe: RecipeArgument,
    output: OutputOption = None,
    set: SetOption = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Trainings at a time; they share the cores.")] = 1,
    estimate: Annotated[bool, typer.Option("--estimate", help="Only say how long it would take.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Train the usual ways of tuning side by side, on the same data, steps and seeds: one table, one plot.

    Full tuning, head only, BitFit, LoRA, (IA)³, prompts, adapters, and skipping by search, at random and by the best
    heuristic; the recipe's compare section says which, and on which seeds. Every training is kept: run the same command
    again after an interruption.
    """
    from ..comparing.comparison import MethodComparison

    command = shlex.join(["skiptune", *sys.argv[1:]])
    comparison = MethodComparison(_recipe(recipe, output, set), jobs, command)
    if estimate:
        comparison.estimate()
        return
    rows = comparison.all()
    if as_json:
        typer.echo(json.dumps(rows))
        return
    typer.echo((comparison.folder / "compare.md").read_text(encoding="utf-8"))
    typer.echo(f"plot: {comparison.folder / 'compare.png'}")


@app.command()
def train(recipe: RecipeArgument, output: OutputOption = None, set: SetOption = None) -> None:
    """Search if that is not done yet, then train the adapters with the plan."""
    runner = _job(recipe, output, set)
    runner.check()
    runner.train()
    if rank() == 0:
        typer.echo(f"trained: {runner.folder / 'trained.safetensors'}")


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="A slim model's directory or hub id, or a run's directory.")],
    data: Annotated[str, typer.Option(help="A file or folder of records, or easy-vqa for its test part.")],
    images: Annotated[str | None, typer.Option(help="Folder of the images.")] = None,
    data_format: Annotated[str, typer.Option("--format", help="What the file is: a data.name of recipes.")] = "jsonl",
    annotations: Annotated[str | None, typer.Option(help="VQAv2's file of answers, where they are known.")] = None,
    split: Annotated[str | None, typer.Option(help="Which part, where the file has several.")] = None,
    predictions: Annotated[Path | None, typer.Option(help="Write every record with its answer to this file.")] = None,
    submission: Annotated[Path | None, typer.Option(help="Write VQAv2's results file, for its server.")] = None,
    all_pairs: Annotated[bool, typer.Option("--all-pairs", help="Retrieval: no shortlist by the encoders.")] = False,
    batch_size: Annotated[int, typer.Option(min=1)] = 64,
    base: BaseOption = None,
    backend: BackendOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a slim model on records with known answers, also ones it has never seen."""
    from ..data.parts import read_for_evaluation
    from ..data.readers.formats import SOURCES
    from ..exporting.backends import load_backend
    from ..exporting.load_task import load_task
    from ..running.run import report_bad_rows
    from ..tasks.evaluation import evaluate as measure
    from ..tasks.predictions import write_predictions, write_submission
    from ..tasks.retrieval import Retrieval, comparable

    name = "easy-vqa" if data == "easy-vqa" else data_format
    if images is None and name in SOURCES and "images" in SOURCES[name].needs:
        raise InputError("--images: the folder of the images is missing")
    folder = _slim_folder(model)
    slim = load_backend(folder, backend, base).to(best_device())
    records = read_for_evaluation(name, data, {"images": images, "annotations": annotations, "split": split})
    report_bad_rows({data: records.bad})
    task = load_task(folder, slim)
    if all_pairs:
        if not isinstance(task, Retrieval):
            raise InputError(f"--all-pairs: for retrieval; this is a model for {task.name}")
        task.shortlist = None
    found = measure(slim, task, records, batch_size)
    if predictions is not None:
        write_predictions(predictions, records, found)
    if submission is not None:
        write_submission(submission, records, found)
    summary = {**found.summary(), "bad_rows": len(records.bad)}
    if as_json:
        typer.echo(json.dumps(summary))
        return
    for metric, value in found.metrics.items():
        typer.echo(f"{metric} {value:.2%} on {found.count} {task.unit}")
    if isinstance(task, Retrieval) and task.shortlist is not None and comparable(slim):
        typer.echo(f"each ranked its {task.shortlist} nearest by the encoders; --all-pairs ranks all")
    if found.unknown:
        typer.echo(f"{found.unknown} of them have no answer the model could give; they count as wrong")


@app.command()
def export(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="Directory of a finished run.")],
    output: Annotated[Path, typer.Argument(help="Directory to write.")],
    form: Annotated[str, typer.Option(help="standalone, or adapters (a few MB beside the base model).")] = "standalone",
    base: Annotated[str | None, typer.Option(help="The base's name or hub id, for --form adapters.")] = None,
    push: Annotated[str | None, typer.Option(metavar="REPO_ID", help="Upload it to the hub as user/name.")] = None,
    private: Annotated[bool, typer.Option("--private", help="With --push: a repository that only you see.")] = False,
    onnx: Annotated[bool, typer.Option("--onnx", help="Write model.onnx instead; RUN may be a slim model.")] = False,
    int8: Annotated[bool, typer.Option("--int8", help="As --onnx, and model-int8.onnx with 8-bit weights.")] = False,
) -> None:
    """Write the slim model of a run in either form, with a model card, or as ONNX; --push uploads it.

    An ONNX model is compared with torch's before it is kept. Where OUTPUT is the slim model's own directory, it comes
    beside the torch weights.
    """
    from ..exporting.hub import is_hub_id, push_to_hub

    if push is not None and not is_hub_id(push):
        raise InputError(f"--push: {push!r} is not the id of a repository; expected user/name")
    if onnx or int8:
        _export_onnx(run_folder, output, form, int8, base)
        if push is not None:
            typer.echo(push_to_hub(output, push, private or None))
        return
    from ..exporting.export import export as write
    from ..running.run import Run

    if form not in ("standalone", "adapters"):
        raise InputError(f"--form: {form!r}; valid: standalone, adapters")
    runner = Run(_recipe_of(run_folder))
    if not (run_folder / "trained.safetensors").is_file():
        raise InputError(f"{run_folder}: training is not finished; run its recipe first")
    plan, extra = runner.search(), runner.measured()
    folder = write(runner.train(), output, plan, runner.task, form, base, extra)  # type: ignore[arg-type]
    size = sum(file.stat().st_size for file in folder.iterdir())
    typer.echo(f"{folder}: {size / 2**20:.1f} MiB")
    if push is not None:
        typer.echo(push_to_hub(folder, push, private or None))


@app.command()
def convert(
    checkpoint: Annotated[Path, typer.Argument(help="A .ckpt of the original ViLT, METER or DAS code; .safetensors.")],
    output: Annotated[Path, typer.Argument(help="Directory to write; must be new or empty.")],
    task: Annotated[
        str | None,
        typer.Option(help="vqa, nlvr2, retrieval, entailment, or pretrained (no head), if there are several heads."),
    ] = None,
    image_size: Annotated[
        int | None, typer.Option(min=1, help="Side of the images in pixels, if not that of the position table.")
    ] = None,
    heads: Annotated[
        int | None, typer.Option(min=1, help="Attention heads, for widths that no published model has.")
    ] = None,
    tokenizer: Annotated[Path | None, typer.Option(help="Directory of the tokenizer, saved beside the model.")] = None,
    answers: Annotated[
        Path | None, typer.Option(help="JSON list of a VQA head's answers in label order, or mapping to labels.")
    ] = None,
    skip: Annotated[
        str | None,
        typer.Option(help="Skipped blocks of a DAS checkpoint by name or number, e.g. 2,8 or text.2,image.2, or none."),
    ] = None,
) -> None:
    """Turn a checkpoint of the original code into a model directory.

    Sizes and task are read off the weights; with the DAS code's adapters it becomes a slim model, ready to run.
    """
    from ..converting.convert import convert as work

    options = {"image_size": image_size, "heads": heads, "tokenizer": tokenizer, "answers": answers, "skip": skip}
    found = work(checkpoint, output, task, **options)  # type: ignore[arg-type]
    for line in found.lines():
        typer.echo(line)
    size = sum(file.stat().st_size for file in output.iterdir())
    typer.echo(f"{output}: {size / 2**20:.1f} MiB")


@app.command()
def predict(
    model: Annotated[str, typer.Argument(help="A slim model's directory or hub id, or a run's directory.")],
    image: Annotated[Path, typer.Argument(help="An image file.")],
    question: Annotated[str, typer.Argument(help="A question, statement, hypothesis or caption about it.")],
    image2: Annotated[Path | None, typer.Option(help="The second image, for statements about two.")] = None,
    top: Annotated[int, typer.Option(min=1, help="How many answers.")] = 5,
    base: BaseOption = None,
    backend: BackendOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a question about an image, with probabilities; for retrieval, score a caption."""
    from ..data.pictures import image_problem
    from ..exporting.backends import load_backend
    from ..exporting.load_task import load_task
    from ..tasks.evaluation import predict as ask

    for path in (image, image2):
        if path is not None and (problem := image_problem(path, open_it=True)):
            raise InputError(problem)
    folder = _slim_folder(model)
    slim = load_backend(folder, backend, base).to(best_device())
    answers = ask(slim, load_task(folder, slim), image, question, top, image2)
    if as_json:
        typer.echo(json.dumps(answers))
        return
    for entry in answers:
        number = f"{entry['probability']:7.2%}" if "probability" in entry else f"{entry['score']:+.3f}"
        typer.echo(f"{number}  {entry['answer']}")


@app.command()
def cost(
    model: Annotated[str, typer.Argument(help="Embedded name, directory, hub id, or architecture (random weights).")],
    image_size: Annotated[str | None, typer.Option(help="HEIGHTxWIDTH in pixels; the model's own by default.")] = None,
    text_length: Annotated[int | None, typer.Option(help="Tokens of text; the model's longest by default.")] = None,
    skip: Annotated[str, typer.Option(help="Blocks to skip, e.g. 0,1,2,3 or text.0,image.0.")] = "",
    adapters: Annotated[str, typer.Option(help="bottleneck, lora or none.")] = "bottleneck",
    scope: Annotated[str, typer.Option(help="fusion, or global: the encoders' layers can be skipped too.")] = "fusion",
    labels: Annotated[int, typer.Option(min=2, help="Answers of the VQA head.")] = 3129,
    as_json: JsonOption = False,
) -> None:
    """Multiply-accumulates and parameters: the original, with adapters, and with blocks skipped; and each block's."""
    from ..config import SkipConfig
    from ..costs.cost_table import cost_table
    from ..costs.macs import by_saving
    from ..costs.shapes_only import ShapesOnly
    from ..families.registry import family_of
    from ..models.loading import load_model

    config = SkipConfig.from_dict({"block_adapter": adapters, "scope": scope})
    with ShapesOnly():
        built = load_model(model, "vqa", random_weights=True, num_labels=labels)
    usual = family_of(built).sizes(built.config)
    size = _parse_size(image_size) if image_size else (usual.image_size, usual.image_size)
    skipped = tuple(name.strip() for name in skip.split(",") if name.strip())
    length = usual.text_length if text_length is None else text_length
    table = cost_table(built, config, skipped, size, length)
    if as_json:
        typer.echo(json.dumps(table))
        return
    for name, value in table["macs_g"].items():
        change = value / table["macs_g"]["original"] - 1
        typer.echo(f"{name:<14}{value:10.3f} G multiply-accumulates  {change:+7.2%}")
    for value, names in by_saving(table["saved_macs_g"]).items():
        typer.echo(f"{'saved by each':<14}{value:10.3f} G: {', '.join(names)}")
    for name, value in table["parameters"].items():
        typer.echo(f"{name:<14}{value:14,d} parameters")


@app.command()
def bench(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help="A slim model's or run's directory, or a model's name; with options: vilt-b32:skip=0,1:adapters=lora. "
            "The first is what the others are compared with.",
        ),
    ],
    batch_sizes: Annotated[str, typer.Option(help="Rows of a batch, e.g. 1,8,32.")] = "1",
    image_size: Annotated[
        str | None, typer.Option(help="HEIGHTxWIDTH in pixels; the first model's by default.")
    ] = None,
    text_length: Annotated[int | None, typer.Option(help="Tokens of text; the first model's by default.")] = None,
    repeats: Annotated[int, typer.Option(help="Rounds that count.")] = 20,
    warmup: Annotated[int, typer.Option(help="Rounds before them that do not.")] = 3,
    threads: Annotated[int | None, typer.Option(help="Threads of torch; its own number by default.")] = None,
    dtype: Annotated[str, typer.Option(help="float32, bfloat16 or float16.")] = "float32",
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    labels: Annotated[int, typer.Option(help="Answers of the head, for models that are not slim.")] = 3129,
    memory: Annotated[
        bool, typer.Option(help="Load each model in a process of its own, for load time, memory.")
    ] = True,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Directory for bench.json, bench.md and bench.png.")
    ] = None,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Time models side by side: latency, throughput, memory, load time, and how much of the ideal saving is realised.

    Options of a MODEL: skip=BLOCKS or plan=FILE, adapters=bottleneck, lora (merged) or none, scope=fusion or global;
    base=MODEL for a slim model without its base; kernels=onednn for a model prepared for inference on a CPU. Without
    options a model is timed as it is loaded.
    """
    from ..benchmarking.bench import bench as measure
    from ..benchmarking.bench_config import BenchConfig
    from ..benchmarking.bench_report import markdown, print_bench, write_bench

    if as_markdown and as_json:
        raise InputError("--markdown and --json: give one of them")
    config = BenchConfig(
        batch_sizes=tuple(_parse_counts("--batch-sizes", batch_sizes)),
        image_size=_parse_size(image_size) if image_size else None,
        text_length=text_length,
        repeats=repeats,
        warmup=warmup,
        threads=threads,
        dtype=dtype,
        device=device,
        labels=labels,
        memory=memory,
    )
    result = measure(models, config)
    if output is not None:
        write_bench(output, result)
    if as_json:
        typer.echo(json.dumps(result))
    elif as_markdown:
        typer.echo(markdown(result), nl=False)
    else:
        print_bench(result)


@app.command()
def models(as_json: JsonOption = False) -> None:
    """List embedded models, architectures for costs and timings, and packaged recipes."""
    from ..models.architectures import ARCHITECTURES
    from ..models.embedded import EMBEDDED
    from ..running.recipe import packaged_recipes

    recipes = {
        name: path.read_text(encoding="utf-8").splitlines()[1].lstrip("# ") for name, path in packaged_recipes().items()
    }
    found = {
        "embedded": {name: model.description for name, model in EMBEDDED.items()},
        "architectures": {name: text for name, (text, *_) in ARCHITECTURES.items()},
        "recipes": recipes,
    }
    if as_json:
        paths = {name: str(model.path) if model.installed else None for name, model in EMBEDDED.items()}
        typer.echo(json.dumps({**found, "paths": paths}))
        return
    for title, entries in found.items():
        typer.echo(f"{title}:")
        for name, text in entries.items():
            typer.echo(f"  {name:<16} {text}")
            if name in EMBEDDED and not EMBEDDED[name].installed:
                typer.echo(f"  {'':<16} not installed; run: {EMBEDDED[name].how_to_install}")


@app.command()
def report(run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="Directory of a finished run.")]) -> None:
    """Write the report card of a run again, from its results.json."""
    from ..core.files import read_json
    from ..reporting.report import write_report

    path = run_folder / "results.json"
    results = read_json(path)
    if not isinstance(results, dict) or "plan" not in results:
        raise InputError(f"{path}: not the results of a run; run its recipe again")
    try:
        write_report(run_folder, results)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not the results of a run ({error!r}); edited? Run its recipe again") from error
    typer.echo(run_folder / "report.html")


@app.command()
def pretrain(
    output: Annotated[Path, typer.Argument(help="Directory for checkpoints and the final model.")],
    share: Annotated[float, typer.Option(min=0.0, max=100.0, help="Scenes: share of the usual pairs.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    recipe: Annotated[str, typer.Option(help="scenes: vilt-scenes from nothing; photos: meter-photos.")] = "scenes",
    photos: Annotated[Path | None, typer.Option(help="Photos: JSON-lines file of images with captions.")] = None,
    heldout: Annotated[Path | None, typer.Option(help="Photos: the like, measured on and not trained on.")] = None,
    images: Annotated[Path | None, typer.Option(help="Photos: the folder of both files' images.")] = None,
    words: Annotated[list[Path] | None, typer.Option(help="Photos: further files whose words to know.")] = None,
    minutes: Annotated[float, typer.Option(min=0.0, help="Photos: of training, altogether.")] = 75.0,
) -> None:
    """Pre-train an embedded model; run again to go on after an interruption."""
    from ..pretraining.pretrain import pretrain as work

    given = {"photos": photos, "heldout": heldout, "images": images}
    typer.echo(json.dumps(work(recipe, output, share, seed, given, words or [], minutes), indent=2))


def _job(recipe: str, output: str | None, changes: list[str] | None) -> Run:
    """A run of a recipe, in all processes of the job."""
    from ..running.run import Run

    return Run(on_main(lambda: _recipe(recipe, output, changes)))


def _recipe(source: str, output: str | None, changes: list[str] | None) -> Recipe:
    from ..running.recipe import read_recipe

    return read_recipe(source, changes or (), output)


def _recipe_of(folder: Path) -> Recipe:
    """The recipe of a run, as kept in its directory."""
    path = folder / "recipe.json"
    if not path.is_file():
        raise InputError(f"{folder}: not the directory of a run (no recipe.json)")
    return _recipe(str(path), str(folder), None)


def _slim_folder(name: str) -> Path:
    """A slim model's directory; a run's directory stands for its slim model."""
    from ..exporting.hub import local_folder
    from ..exporting.manifest import is_slim

    folder = local_folder(name)
    for candidate in (folder, folder / "slim"):
        if is_slim(candidate):
            return candidate
    raise InputError(
        f"{name}: not a slim model and not a finished run" + ("" if folder.exists() else " (no such directory)")
    )


def _export_onnx(source: Path, output: Path, form: str, int8: bool, base: str | None) -> None:
    from ..exporting.onnx.write import export_onnx, onnx_lines

    if form != "standalone":
        raise InputError(f"--form {form}: an ONNX model holds all weights; leave it out")
    for line in onnx_lines(export_onnx(_slim_folder(str(source)), output, int8, base)):
        typer.echo(line)


def _compare(recipe: str, output: str | None, changes: list[str] | None, names: str | None, as_json: bool) -> None:
    from rich.table import Table

    from ..core.progress import console
    from ..core.validation import Problems, nearest
    from ..searching.strategies import STRATEGIES

    if processes() > 1:
        raise alike(InputError("skiptune search --compare works in one process; start it by itself"))
    chosen = [name.strip() for name in names.split(",")] if names else list(STRATEGIES)
    problems = Problems("--strategy")
    for name in chosen:
        problems.check(name in STRATEGIES, f"{name!r}{nearest(name, STRATEGIES)}")
    problems.raise_any()
    runner = _job(recipe, output, changes)
    runner.check()
    rows = runner.compare(chosen)
    if as_json:
        typer.echo(json.dumps(rows))
        return
    table = Table("strategy", "skips", "held-out loss", "above the best", "compared", "cost", box=None)
    for row in rows:
        skipped = " ".join(row["skipped"])
        numbers = f"{row['loss']:.4f}", f"{row['regret']:.4f}", str(row["subnetworks"]), f"+{row['cost']:.1%}"
        table.add_row(row["strategy"], skipped, *numbers)
    console.print(table)
    typer.echo(f"plot: {runner.folder / 'compare' / 'compare.png'}")


def _parse_size(text: str) -> tuple[int, int]:
    height, times, width = text.lower().partition("x")
    if not (times and height.isdigit() and width.isdigit()):
        raise InputError(f"--image-size: {text!r} is not HEIGHTxWIDTH, e.g. 384x384")
    return int(height), int(width)


def _parse_counts(option: str, text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() for part in parts):
        raise InputError(f"{option}: {text!r} are not whole numbers with commas between them, e.g. 1,8,32")
    return [int(part) for part in parts]


def _summary(results: dict[str, Any]) -> None:
    """The headline of a run."""
    metric, plan = results["metric"], results["plan"]
    typer.echo(f"skipped blocks:  {', '.join(plan['skipped']) or 'none'} of {len(plan['blocks'])}")
    measure = metric["name"]
    for part in ("validation", "test"):
        if part in metric:
            value, count = metric[part][measure], metric[part]["count"]
            typer.echo(f"{f'{part} {measure}:':<24} {value:.2%} of {count} {metric['unit']}")
    for name, entry in results["baselines"].items():
        typer.echo(f"  {name + ':':<15}{(entry['test'] or entry['validation'])[measure]:.2%}")
    typer.echo(f"operations:      {results['relative_macs']:+.1%} against the original model")
    for batch, rows in results["latency"]["batches"].items():
        typer.echo(
            f"latency ×{batch + ':':<8}{rows['slim']['ratio'] - 1:+.1%} ({rows['slim']['median_s'] * 1e3:.1f} ms)"
        )


def main() -> None:
    """Entry point of the ``skiptune`` command."""
    quiet_libraries()
    keep_freed_memory()
    try:
        app()
    except InputError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except PeerError:
        time.sleep(_COURTESY)
        sys.exit(1)
    except (RunError, OSError, MemoryError) as error:
        typer.echo(f"failed: {error}", err=True)
        sys.exit(1)
    except Exception as error:
        if not (is_disk_failure(error) or is_memory_failure(error)):
            raise
        what = "a file could not be written" if is_disk_failure(error) else "there is not enough memory"
        typer.echo(f"failed: {what}: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("stopped; run the same command again to go on", err=True)
        sys.exit(130)
    finally:
        leave()


if __name__ == "__main__":
    main()
