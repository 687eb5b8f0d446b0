"""What a command imports: the packages that cost start-up time only where a command needs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import skiptune
from skiptune import SkipConfig, Vqa, export, insert, load_model

FIXTURES = Path(__file__).parents[1] / "fixtures" / "0.3"
IMAGE, QUESTION = FIXTURES / "data" / "images" / "0.png", "what colour is it?"
#: Packages that take a tenth of a second and more.
HEAVY = {"torch", "transformers", "accelerate", "peft", "datasets", "pyarrow", "scipy", "pandas", "matplotlib"}
#: What is left of them where a model answers.
FOR_A_MODEL = {"torch", "transformers"}
_CODE = """
import json, sys
from skiptune.cli.main import main
sys.argv = ["skiptune", *sys.argv[1:]]
try:
    main()
except SystemExit as ended:
    code = ended.code or 0
print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""


def run(*arguments: str | Path) -> tuple[int, str, set[str]]:
    """Exit code, standard output and imported modules of a command, in a process of its own."""
    command = [sys.executable, "-c", _CODE, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    code, modules = json.loads(done.stderr.splitlines()[-1])
    return code, done.stdout, set(modules)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--help",), 0),
        (("bench", "--help"), 0),
        (("--version",), 0),
        (("models",), 0),
        (("run", "easy-vqa-dmo"), 2),
        (("run", "easy-vqa-demo", "--set", "train.epohcs=3"), 2),
        (("search", "easy-vqa-demo", "--set", "serch.strategy=policy"), 2),
        (("compare", "easy-vqa-demo", "--set", "compare.methods=[lorra]"), 2),
        (("export", "nowhere", "slim"), 2),
        (("cost", "vilt-tiny", "--adapters", "lorra"), 2),
        (("predict", "nowhere", "nowhere.png", "what?"), 2),
    ],
)
def test_no_model_no_heavy_package(arguments: tuple[str, ...], code: int) -> None:
    found, _, modules = run(*arguments)
    assert found == code
    assert not modules & HEAVY


@pytest.fixture(scope="module")
def predicted() -> tuple[int, str, set[str]]:
    return run("predict", FIXTURES / "run", IMAGE, QUESTION, "--json")


def test_predict_imports_what_its_model_needs(predicted: tuple[int, str, set[str]]) -> None:
    code, _, modules = predicted
    assert code == 0
    assert modules & HEAVY == FOR_A_MODEL
    assert not modules & {"torch._dynamo", "torch.distributed.tensor", "sympy", "torchvision"}
    assert "skiptune.families.vilt.row" in modules
    others = ("skiptune.families.meter", "skiptune.families.bridgetower", "transformers.models.clip.")
    assert not [name for name in modules if name.startswith(others)], "the code of other families"
    assert not [name for name in modules if name.startswith(("skiptune.training", "skiptune.searching"))]


@pytest.mark.parametrize(
    ("architecture", "form", "adapters"),
    [
        ("vilt-tiny", "standalone", "lora"),
        pytest.param("vilt-tiny", "adapters", "bottleneck", marks=pytest.mark.slow),
        pytest.param("meter-tiny", "standalone", "bottleneck", marks=pytest.mark.slow),
        pytest.param("meter-tiny", "adapters", "lora", marks=pytest.mark.slow),
        ("bridgetower-tiny", "standalone", "lora"),
    ],
)
def test_predict_answers_as_the_library_does(architecture: str, form: str, adapters: str, tmp_path: Path) -> None:
    """What is not imported changes no number."""
    task = Vqa(skiptune.load_processor(architecture), ["blue", "green", "red"])
    model = load_model(architecture, task.model_class, **task.model_changes())
    insert(model, SkipConfig.from_dict({"block_adapter": adapters, "init": "paper"}))
    export(model, tmp_path / "slim", task=task, form=form)
    code, out, modules = run("predict", tmp_path / "slim", IMAGE, QUESTION, "--json")
    assert code == 0
    assert "accelerate" not in modules or form == "adapters"
    slim = skiptune.load(tmp_path / "slim")
    found = skiptune.predict(slim, skiptune.load_task(tmp_path / "slim", slim), IMAGE, QUESTION)
    assert json.loads(out) == found.to_dict()["answers"]


def test_the_library_hides_nothing() -> None:
    code = (
        f"import skiptune as st; slim = st.load({str(FIXTURES / 'run' / 'slim')!r})\n"
        "from transformers.utils import is_accelerate_available, is_scipy_available\n"
        "assert is_accelerate_available() and is_scipy_available()\n"
        "import torch, sys; assert sys.modules.get('torch._dynamo') is torch._dynamo"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_failure_on_the_way_is_made_good_by_the_usual_imports(predicted: tuple[int, str, set[str]]) -> None:
    """As with a version of transformers that cannot be imported in parts."""
    broken = (
        'import skiptune.cli.quick_imports as quick\nquick._MODEL_CODE = (*quick._MODEL_CODE, "transformers.gone")\n'
    )
    command = [sys.executable, "-c", broken + _CODE, "predict", FIXTURES / "run", IMAGE, QUESTION, "--json"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    assert json.loads(done.stderr.splitlines()[-1])[0] == 0, done.stderr
    assert done.stdout == predicted[1]
