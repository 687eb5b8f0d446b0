"""Benchmarks: what is measured and refused, the figures made of given times, and the command with its files."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from skiptune import BenchConfig, InputError, Plan, RunError, SkipConfig, bench, export, insert, load_model
from skiptune.benchmarking.bench import check_equal
from skiptune.benchmarking.bench_models import Builder, parse_model
from skiptune.benchmarking.bench_report import markdown
from skiptune.benchmarking.bench_result import BenchResult, BenchRow, BenchSettings, ModelSummary
from skiptune.benchmarking.memory import measure_alone
from skiptune.benchmarking.summarize import summarize, unsafe
from skiptune.cli.main import app
from skiptune.costs.example_inputs import example_inputs
from skiptune.exporting.export import ExportForm
from tiny_decoders import text_decoder

FORMS: tuple[ExportForm, ...] = ("standalone", "plain")
QUICK = BenchConfig(repeats=2, warmup=0, labels=5, memory=False)
SETTINGS = BenchSettings(image_size=(48, 48), text_length=40, threads=1)


@pytest.fixture(scope="module")
def slim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A slim model without blocks 1 and 2."""
    model = insert(load_model("vilt-tiny", "vqa", num_labels=5))
    plan = Plan("vilt", ("0", "1", "2", "3"), ("1", "2"))
    return export(model, tmp_path_factory.mktemp("run") / "slim", plan)


def test_a_line_names_a_model(slim: Path, tmp_path: Path) -> None:
    assert parse_model("vilt-tiny").plain
    found = parse_model("vilt-tiny:skip=0, 2:adapters=lora:skip_adapter=folded")
    assert (found.skipped, found.config) == (("0", "2"), SkipConfig(block_adapter="lora", skip_adapter="folded"))
    assert parse_model("meter-tiny:scope=global").config == SkipConfig(scope="global")
    assert parse_model(str(slim)).slim
    assert parse_model(str(slim.parent)).source == str(slim)  # a run stands for its slim model
    Plan("vilt", ("0", "1", "2", "3"), ("3",)).save(tmp_path / "plan.json")
    assert parse_model(f"vilt-tiny:plan={tmp_path / 'plan.json'}").skipped == ("3",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("vilt-tny", "did you mean 'vilt-tiny'"),
        ("vilt-tiny:lora", "'lora' is not KEY=VALUE, e.g."),
        ("vilt-tiny:skip=", "'skip=' is not KEY=VALUE"),
        ("vilt-tiny:skp=0", "skp: unknown option; did you mean 'skip'"),
        ("vilt-tiny:skip=0:skip=1", "skip: given twice"),
        ("vilt-tiny:skip=0:plan=plan.json", "skip and plan: give one"),
        ("vilt-tiny:adapters=lroa", "did you mean 'lora'"),
        ("vilt-tiny:kernels=mkl", "kernels: 'mkl'; valid: torch, onednn"),
        ("vilt-tiny:base=vilt-tiny", "is no slim model"),
        ("SLIM:skip=0", "whose blocks are settled"),
    ],
)
def test_a_line_that_names_none(slim: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_model(text.replace("SLIM", str(slim)))


def test_mistakes_are_named_together() -> None:
    with pytest.raises(InputError, match=r"(?s)vilt-tny.*lroa"):
        bench(["vilt-tny", "vilt-tiny:adapters=lroa"], QUICK)
    with pytest.raises(InputError, match=r"(?s)vilt-tiny:skip=9: .*'9': no such block"):
        bench(["vilt-tiny:skip=9"], QUICK)
    with pytest.raises(InputError, match=r"(?s)repeats: 1.*batch_sizes.*dtype: 'float8'.*device: 'gpu'"):
        BenchConfig(repeats=1, batch_sizes=(), dtype="float8", device="gpu")
    with pytest.raises(InputError, match="vilt-tiny: image size 50x48"):
        bench(["vilt-tiny"], BenchConfig(image_size=(50, 48), memory=False))


def test_variants_share_the_weights_of_their_base() -> None:
    builder = Builder(labels=5)
    plain, skipping = (builder.build(parse_model(text)) for text in ("vilt-tiny", "vilt-tiny:skip=0"))
    weights = {parameter.data_ptr() for parameter in plain.parameters()}
    shared = [
        parameter.data_ptr() in weights for name, parameter in skipping.named_parameters() if "adapter" not in name
    ]
    assert all(shared)
    assert len(shared) < len(weights)


def test_unequal_outputs_are_not_timed() -> None:
    models = {"one": load_model("vilt-tiny", "vqa", seed=0), "two": load_model("vilt-tiny", "vqa", seed=1)}
    inputs = {name: example_inputs(model, (48, 48), 8) for name, model in models.items()}
    with pytest.raises(RunError, match="two: its outputs differ from one's"):
        check_equal(models, inputs, 1e-5)


def rows(seconds: dict[str, list[float]]) -> list[BenchRow]:
    macs = dict(zip(seconds, (10.0, 11.0, 5.5), strict=False))
    described = {
        name: ModelSummary(model=name, family="vilt", skipped=(), adapters="none", kernels="torch") for name in seconds
    }
    unskipped = dict(zip(seconds, ("original", "original", "adapters"), strict=False))
    return summarize(described, seconds, macs, unskipped, SETTINGS, batch=2)


def test_figures_of_given_times() -> None:
    drift = [1.0, 2.0, 3.0, 2.0, 1.0, 1.5, 2.5]  # slows all models down together
    found = rows({"original": drift, "adapters": [1.1 * t for t in drift], "skipping": [0.66 * t for t in drift]})
    assert [row.ratio for row in found] == pytest.approx([1, 1.1, 0.66])
    assert found[2].ratio_interval == pytest.approx([0.66, 0.66])
    assert [row.realised for row in found[:2]] == [None, None]
    assert found[2].realised == pytest.approx(0.8)  # 40 % of the time, where 50 % of the operations are gone
    assert found[2].realised_to == "adapters"
    assert found[0].throughput == pytest.approx(1.0)


def test_warnings_when_the_spread_is_wide() -> None:
    steady = [1.0] * 8
    assert unsafe(rows({"original": steady, "faster": [0.9] * 8})) == []
    (said,) = unsafe(rows({"original": steady, "same": [0.9, 1.1] * 4}))
    assert "same takes 1.00× of original" in said
    assert "includes 1" in said
    assert any(
        "the machine is busy: do not trust these times" in line
        for line in unsafe(rows({"original": [1.0, 2.0] * 4, "faster": [0.4, 0.8] * 4}))
    )
    assert "too few" in unsafe(rows({"original": [1.0] * 5, "faster": [0.9] * 5}))[0]


def test_command_writes_table_numbers_and_figure(slim: Path, tmp_path: Path) -> None:
    skipping = "vilt-tiny:skip=0,3:kernels=onednn"
    models = ["vilt-tiny", "vilt-tiny", "vilt-tiny:adapters=lora", skipping, f"{slim}:kernels=onednn"]
    options = ["--labels", "5", "--repeats", "2", "--warmup", "0", "--batch-sizes", "1,2", "--no-memory", "--json"]
    done = CliRunner().invoke(app, ["bench", *models, *options, "-o", str(tmp_path / "out")], catch_exceptions=False)
    found = json.loads(done.stdout)
    assert [row["model"] for row in found["rows"][:5]] == ["vilt-tiny", "vilt-tiny (2)", *models[2:]]
    assert [row["skipped"] for row in found["rows"][:5]] == [[], [], [], ["0", "3"], ["1", "2"]]
    assert found["rows"][3]["macs_g"] == found["rows"][4]["macs_g"] < found["rows"][0]["macs_g"]
    assert found["rows"][5]["macs_g"] == pytest.approx(2 * found["rows"][0]["macs_g"])
    assert json.loads((tmp_path / "out" / "bench.json").read_text()) == found
    assert (tmp_path / "out" / "bench.md").read_text().startswith(markdown(BenchResult.from_dict(found)))
    assert (tmp_path / "out" / "bench.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="this system does not tell peaks")
def test_memory_of_a_slim_model_by_itself(slim: Path) -> None:
    settings = SETTINGS.replace(batch_sizes=(1, 4), labels=5)
    found = measure_alone(str(slim), settings)
    assert found.load_s > 0
    assert 0 < found.loaded_bytes <= found.load_peak_bytes
    assert found.loaded_bytes < found.peak_bytes["1"] <= found.peak_bytes["4"]
    with pytest.raises(RunError, match=r"could not be measured in a process of its own: .*no config"):
        measure_alone(str(slim.parent.parent), settings)


def test_threads_are_put_back() -> None:
    before = torch.get_num_threads()
    found = bench(["vilt-tiny"], BenchConfig(repeats=2, warmup=0, threads=2, labels=5, memory=False))
    assert found.settings.threads == 2
    assert torch.get_num_threads() == before
    assert math.isclose(found.rows[0].ratio, 1.0)


def test_decoders_are_timed_in_either_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = text_decoder("llama")
    model.save_pretrained(tmp_path / "base")
    insert(model, SkipConfig(block_adapter="none"))
    plan = Plan("llama", ("0", "1", "2", "3"), ("1", "2"))
    made = [
        "base",
        "base:skip=1,2:skip_adapter=none",
        *(str(export(model, tmp_path / form, plan, form=form)) for form in FORMS),
    ]
    found = {decode: bench(made, QUICK.replace(text_length=8, decode=decode)) for decode in (False, True)}
    for decode, length in ((False, 8), (True, 1)):
        base, named, slim, plain = (row.macs_g for row in found[decode].rows)
        layer = length * (2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 48) + 2 * length * (9 if decode else 8) * 32
        assert base * 1e9 == pytest.approx(4 * layer + 32 * 64)
        assert named * 1e9 == slim * 1e9 == plain * 1e9 == pytest.approx(2 * layer + 32 * 64)
    assert markdown(found[True]).startswith("a decode step after ")
    with pytest.raises(InputError, match="decode: vilt-tiny generates no text"):
        bench(["vilt-tiny"], QUICK.replace(decode=True))
