"""Whatever is killed wherever: run again, it ends as if nothing had happened."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from interrupted import Work, digests, left_behind, litter, run_through_kills
from safetensors.torch import load_file

from campaign_form import LONG, SEED, by_form
from conftest import write_recipe

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kills processes"),
    pytest.mark.timeout(by_form(900, 7200)),
]
#: Kills in a row before a command is let to its end.
_IN_A_ROW = 4
RECIPES: dict[str, dict[str, Any]] = {
    "vilt": {"baselines": ["random"]},
    "meter-with-cache": {"model": "meter-tiny", "encoder_cache": 0.1},
}


def recipe_work(folder: Path, data_folder: Path, changes: dict[str, Any]) -> Work:
    folder.mkdir()
    recipe = write_recipe(folder / "recipe.yaml", data_folder, output=str(folder / "out"), **changes)
    return Work(("run", str(recipe)), folder / "out")


@pytest.fixture(scope="module")
def finished(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run that was never interrupted."""
    work = recipe_work(tmp_path_factory.mktemp("finished") / "run", data_folder, RECIPES["vilt"])
    work.run().check()
    return work.folder


def kill_until(
    wanted: int, make: Callable[[Path], Work], left: Callable[[Path], Mapping[str, Any]], where: Path
) -> None:
    """Kill commands until ``wanted`` kills fell, a few in a row, half of them at a change of a file and half at a time.
    Each must leave what one leaves that is not killed.

    Args:
        wanted: number of kills.
        make: the command in a folder of its own.
        left: what it leaves in its folder, by parts.
        where: the folders are in.
    """
    reference = make(where / "reference")
    ended = reference.run()
    ended.check()
    changes, expected = ended.changes, left(reference.folder)
    draw, fell, seconds = random.Random(SEED), 0, by_form(3.0, 4.0)
    for number in range(10 * wanted):
        if fell >= wanted:
            return
        step = max(1, 2 * changes // _IN_A_ROW)
        if number % 2:
            kills = [f"{draw.uniform(0.3, seconds):.2f}s" for _ in range(_IN_A_ROW)]
        else:
            kills = [str(draw.randint(1, step)) for _ in range(_IN_A_ROW)]
        work = make(where / str(number))
        print(f"seed {SEED}, commands {number}: killed at {', '.join(kills)}")
        fell += run_through_kills(work, kills)
        found = left(work.folder)
        assert found.keys() == expected.keys()
        for part, value in expected.items():
            assert found[part] == value, part
        assert not litter(work.folder)
    raise AssertionError(f"{fell} of {wanted} kills fell before the command ended")


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES if LONG else ["vilt"])
def test_a_killed_run_ends_as_an_uninterrupted_one(name: str, data_folder: Path, tmp_path: Path) -> None:
    def make(folder: Path) -> Work:
        return recipe_work(folder, data_folder, RECIPES[name])

    kill_until(by_form(1, 25), make, left_behind, tmp_path)


@pytest.mark.skipif(not LONG, reason="part of the long form of the campaign")
@pytest.mark.parametrize("options", [(), ("--form", "adapters"), ("--onnx",)], ids=["standalone", "adapters", "onnx"])
def test_a_killed_export_ends_as_an_uninterrupted_one(options: tuple[str, ...], finished: Path, tmp_path: Path) -> None:
    def make(folder: Path) -> Work:
        folder.mkdir()
        return Work(("export", str(finished), str(folder / "out"), *options), folder / "out")

    kill_until(6, make, digests, tmp_path)


@pytest.mark.skipif(not LONG, reason="part of the long form of the campaign")
@pytest.mark.parametrize("seed", range(SEED, SEED + 6))
def test_any_process_of_several_may_be_killed(seed: int, finished: Path, data_folder: Path, tmp_path: Path) -> None:
    """Two processes, then one, then two and so on; whichever is killed wherever, they end as one uninterrupted."""
    draw = random.Random(seed)
    work = recipe_work(tmp_path / "run", data_folder, RECIPES["vilt"])
    one = work.arguments
    two = (*one, "--set", "train.batch_size=4")
    killed = 0
    for ranks in (2, 1, 2):
        victim = draw.randrange(ranks)
        # only the first process changes files
        when = f"{draw.uniform(0.5, 5):.2f}s" if victim else str(draw.randint(1, 30))
        ended = replace(work, arguments=two if ranks == 2 else one).run(when, ranks, victim)
        ended.check()
        killed += ended.killed
    work.run().check()
    print(f"seed {seed}: {killed} kills")
    found, expected = left_behind(work.folder), left_behind(finished)
    assert found["skipped"] == expected["skipped"], f"seed {seed}"
    ours, theirs = (load_file(folder / "trained.safetensors") for folder in (work.folder, finished))
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        torch.testing.assert_close(ours[key], value, rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(not LONG, reason="part of the long form of the campaign")
@pytest.mark.parametrize("seed", range(SEED, SEED + 4))
def test_two_runs_at_once_in_one_directory(seed: int, finished: Path, data_folder: Path, tmp_path: Path) -> None:
    """One of them works; the other one says so and ends, whenever it is started, and nothing is mixed up."""
    work = recipe_work(tmp_path / "run", data_folder, RECIPES["vilt"])
    first = work.start("0")
    time.sleep(random.Random(seed).uniform(0, 6))
    second = work.start("0")
    said = [process.ended().stderr for process in (*first, *second)]
    assert not any("Traceback" in text for text in said), said
    work.run().check()
    assert left_behind(work.folder) == left_behind(finished)


@pytest.mark.skipif(not LONG, reason="part of the long form of the campaign")
@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_a_killed_file_of_answers_ends_as_an_uninterrupted_one(
    ending: str, finished: Path, data_folder: Path, tmp_path: Path
) -> None:
    """Twenty kills of each kind of file."""
    images = str(data_folder / "images")
    lines = (data_folder / "train.jsonl").read_text(encoding="utf-8")
    (tmp_path / "rows.jsonl").write_text(lines * 20, encoding="utf-8")
    rows = ("predict", str(finished), "--data", str(tmp_path / "rows.jsonl"), "--images", images, "--batch-size", "2")

    def make(folder: Path) -> Work:
        (folder / "out").mkdir(parents=True)
        return Work((*rows, "--output", str(folder / "out" / f"answers.{ending}")), folder / "out")

    kill_until(20, make, digests, tmp_path)
