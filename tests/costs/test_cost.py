"""Operations and parameters of ViLT-B/32: the paper's numbers, and a closed formula beside the counter."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from transformers import ViltForQuestionAnswering
from typer.testing import CliRunner

from skiptune import SkipConfig, cost_table, load_model
from skiptune.cli import cost_command
from skiptune.cli.main import app
from skiptune.config.way import Way
from skiptune.core.errors import InputError

WIDTH, MLP, BLOCK_ADAPTER, SKIP_ADAPTER, ANSWERS = 768, 3072, 96, 192, 3129


@pytest.fixture(scope="module")
def model() -> Any:
    return load_model("vilt-b32", ViltForQuestionAnswering, num_labels=ANSWERS)


def by_hand(height: int, width: int, text: int, skipped: int, adapters: bool) -> float:
    """Multiply-accumulates in G, from the shapes of the matrix products alone."""
    patches = height // 32 * width // 32
    tokens = text + 1 + patches
    block = tokens * (4 * WIDTH**2 + 2 * WIDTH * MLP) + 2 * tokens**2 * WIDTH
    block += adapters * 2 * tokens * 2 * WIDTH * BLOCK_ADAPTER
    skip = tokens * 2 * WIDTH * SKIP_ADAPTER
    head = WIDTH**2 + WIDTH * 2 * WIDTH + 2 * WIDTH * ANSWERS
    return ((12 - skipped) * block + skipped * skip + patches * 3 * 32**2 * WIDTH + head) / 1e9


@pytest.mark.parametrize(
    ("size", "original", "with_adapters", "saved"),
    [((384, 384), 16.69, 17.34, 1.362), ((384, 640), 25.89, 26.89, 2.110)],
)
def test_the_papers_table(
    model: Any, size: tuple[int, int], original: float, with_adapters: float, saved: float
) -> None:
    for count in (1, 4):
        macs = cost_table(model, SkipConfig(), tuple(map(str, range(count))), size, 40).macs_g
        assert macs["original"] == pytest.approx(original, abs=0.01)
        assert macs["with_adapters"] == pytest.approx(with_adapters, abs=0.01)
        assert macs["with_adapters"] - macs["with_plan"] == pytest.approx(count * saved, abs=0.01)
        assert macs["with_plan"] == pytest.approx(by_hand(*size, 40, count, True), rel=1e-6)
        assert macs["original"] == pytest.approx(by_hand(*size, 40, 0, False), rel=1e-6)


def test_parameters_to_the_last_one(model: Any) -> None:
    table = cost_table(model, SkipConfig(), (), (384, 384), 40)
    counts = table.parameters
    assert counts["original"] == 117_588_537
    assert (counts["block_adapters"], counts["skip_adapters"]) == (3_596_544, 3_568_896)
    trained = counts["block_adapters"] + counts["small_parts"]
    assert trained / counts["original"] < 0.05


def test_lora_and_none_add_nothing_at_inference(model: Any) -> None:
    for adapters in ("lora", "none"):
        macs = cost_table(model, SkipConfig.from_dict({"block_adapter": adapters}), (), (384, 384), 40).macs_g
        assert macs["with_adapters"] == macs["original"]


def test_command_prints_json() -> None:
    done = CliRunner().invoke(app, ["cost", "vilt-tiny", "--skip", "0,2", "--labels", "5", "--json"])
    table = json.loads(done.stdout)
    assert table["skipped"] == ["0", "2"]
    assert table["macs_g"]["with_plan"] < table["macs_g"]["original"] < table["macs_g"]["with_adapters"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--image-size", "384"], "HEIGHTxWIDTH"),
        (["--image-size", "50x48"], "multiples of 16"),
        (["--text-length", "41"], r"not in \[2, 40\]"),
        (["--skip", "0,9"], "'9': no such block"),
        (["--skip", "0,1,2,3"], "fewer than the 4"),
        (["--adapters", "bottelneck"], "did you mean 'bottleneck'"),
        (["--tokens", "3=0.5,3=0.25"], "block '3' is named twice"),
        (["--token-way", "prune"], "token_way: prune: of no use without tokens"),
        (["--frozen", "1"], "cannot pass layers unchanged"),
    ],
)
def test_mistakes(options: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        CliRunner().invoke(app, ["cost", "vilt-tiny", *options], catch_exceptions=False)


def test_the_command_knows_every_way_that_schedules_have() -> None:
    """It lists them itself, so that ``--help`` loads no configuration."""
    assert get_args(cost_command.Way) == get_args(Way)
