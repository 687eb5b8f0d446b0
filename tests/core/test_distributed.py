"""Two processes are one with the same batch, whatever started them; killed and run again they end the same."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from command_line import skiptune
from own_process import OwnProcess, command
from several_processes import free_port, told_ranks
from skiptune import InputError, TrainConfig
from skiptune.core.distributed import alike, is_peer_failure, on_main, processes, rank
from skiptune.core.errors import PeerError
from skiptune.training.checkpoints import newest_checkpoint, save_checkpoint
from skiptune.training.dataset import SharedBatches

TORCHRUN = ("-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port")


def start_both(*arguments: str) -> list[OwnProcess]:
    """The two processes of a job, without a launcher that would survive them."""
    return [command(*arguments, environment=own) for own in told_ranks(2)]


def kill_once_searching(processes: list[OwnProcess], folder: Path, victims: slice) -> None:
    """``kill -9`` after the first checkpoint of a search; all end."""
    deadline = time.monotonic() + 120
    while not list((folder / "checkpoints" / "train").glob("checkpoint-*/trainer_state.json")):
        assert time.monotonic() < deadline
        assert all(process.poll() is None for process in processes)
        time.sleep(0.005)
    for process in processes[victims]:
        process.kill()
    for process in processes:
        assert process.wait(timeout=60) != 0
    assert not (folder / "plan.json").exists()


def ends_as(by_two: Path, folder: Path) -> None:
    """The same plan and, to rounding, preferences and weights."""
    found, expected = (json.loads((where / "plan.json").read_text()) for where in (folder, by_two))
    assert found["skipped"] == expected["skipped"]
    size = max(map(abs, expected["preferences"].values()))
    assert found["preferences"] == pytest.approx(expected["preferences"], rel=1e-3, abs=1e-3 * size)
    weights, wanted = (load_file(where / "trained.safetensors") for where in (folder, by_two))
    assert weights.keys() == wanted.keys()
    for key, value in wanted.items():
        torch.testing.assert_close(weights[key], value, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def by_two(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run by two processes of batches of 4; 36 questions leave an uneven last batch in every epoch."""
    from conftest import write_recipe

    folder = tmp_path_factory.mktemp("two")
    changes = {"train": {"batch_size": 4}, "baselines": ["random"], "output": str(folder / "out")}
    both = start_both("run", str(write_recipe(folder / "two.yaml", data_folder, **changes)))
    ended = [process.ended() for process in both]
    assert [each.returncode for each in ended] == [0, 0], ended
    assert "".join(each.stdout for each in ended).count("report card") == 1
    return folder / "out"


def test_two_processes_are_one_with_the_same_global_batch(by_two: Path, tiny_recipe: Callable[..., Path]) -> None:
    recipe = tiny_recipe(baselines=["random"])
    done = skiptune("train", str(recipe))
    assert done.returncode == 0, done.stderr
    alone = recipe.with_name("recipe-run")
    one, two = (json.loads((folder / "plan.json").read_text()) for folder in (alone, by_two))
    assert two["skipped"] == one["skipped"]
    assert [r["candidates"] for r in two["details"]["rounds"]] == [r["candidates"] for r in one["details"]["rounds"]]
    size = max(map(abs, one["preferences"].values()))
    assert two["preferences"] == pytest.approx(one["preferences"], rel=1e-3, abs=1e-3 * size)
    losses = [[entry["loss"] for entry in plan["details"]["history"]] for plan in (two, one)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    found, expected = (load_file(folder / "trained.safetensors") for folder in (by_two, alone))
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=1e-4, atol=1e-5)


def test_a_run_by_two_is_whole(by_two: Path) -> None:
    results = json.loads((by_two / "results.json").read_text())
    assert results["metric"]["test"]["count"] == results["baselines"]["random"]["test"]["count"] == 12
    assert {"evaluation", "latency", "search", "train"} <= results["seconds"].keys()
    assert not list(by_two.rglob("*.tmp"))
    assert not list(by_two.rglob("checkpoint-*"))


@pytest.mark.slow
def test_both_killed_and_run_again_end_the_same(by_two: Path, tiny_recipe: Callable[..., Path]) -> None:
    recipe = tiny_recipe(baselines=["random"], train={"batch_size": 4})
    folder = recipe.with_name("recipe-run")
    kill_once_searching(start_both("train", str(recipe)), folder, slice(2))
    ended = [process.ended() for process in start_both("train", str(recipe))]
    assert [each.returncode for each in ended] == [0, 0], ended
    plans = [json.loads((where / "plan.json").read_text()) for where in (folder, by_two)]
    assert plans[0]["preferences"] == plans[1]["preferences"]
    assert (folder / "trained.safetensors").read_bytes() == (by_two / "trained.safetensors").read_bytes()


@pytest.mark.parametrize("micro_batches", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_one_goes_on_where_the_second_of_two_was_killed(
    micro_batches: int, by_two: Path, tiny_recipe: Callable[..., Path]
) -> None:
    recipe = tiny_recipe(baselines=["random"], train={"batch_size": 4})
    kill_once_searching(start_both("search", str(recipe)), recipe.with_name("recipe-run"), slice(1, 2))
    changes = {"batch_size": 8 // micro_batches, "gradient_accumulation": micro_batches}
    done = skiptune("train", str(tiny_recipe(baselines=["random"], train=changes)))
    assert done.returncode == 0, done.stderr
    ends_as(by_two, recipe.with_name("recipe-run"))


@pytest.mark.slow
def test_two_go_on_where_one_was_killed(by_two: Path, tiny_recipe: Callable[..., Path]) -> None:
    recipe = tiny_recipe(baselines=["random"])
    kill_once_searching([command("search", recipe)], recipe.with_name("recipe-run"), slice(1))
    both = start_both("train", str(tiny_recipe(baselines=["random"], train={"batch_size": 4})))
    ended = [process.ended() for process in both]
    assert [each.returncode for each in ended] == [0, 0], ended
    ends_as(by_two, recipe.with_name("recipe-run"))


def test_a_mistake_is_said_once(tiny_recipe: Callable[..., Path]) -> None:
    ended = [process.ended() for process in start_both("run", str(tiny_recipe(budget={"num_skip": 4})))]
    assert all(each.returncode for each in ended)
    said = "".join(each.stderr for each in ended)
    assert re.findall("^(error|failed): .*", said, re.MULTILINE) == ["error"]
    assert "at least one must be kept" in said


def test_processes_of_a_launcher_know_each_other(tmp_path: Path) -> None:
    """Whole runs by launchers are in ``tests/campaign``: each of their processes takes long to start."""
    nowhere = str(tmp_path / "nowhere.yaml")
    started = [sys.executable, *TORCHRUN, free_port(), "-m", "skiptune.cli", "run", nowhere]
    done = subprocess.run(started, capture_output=True, text=True, timeout=200)
    assert done.returncode != 0
    assert re.findall("^(error|failed): .*", done.stderr, re.MULTILINE) == ["error"]
    assert "nowhere.yaml: no such file" in done.stderr


@pytest.fixture
def second_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)


def test_rows_are_shared_out_without_loss() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORLD_SIZE", "2")
        shares = []
        for number in "01":
            patch.setenv("RANK", number)
            patch.setenv("LOCAL_RANK", number)
            shares.append(list(SharedBatches(range(9), 4)))  # type: ignore[arg-type]
    assert shares == [[[0, 2], [4, 6], [8]], [[1, 3], [5, 7], []]]


FOUR, EIGHT = TrainConfig(batch_size=4), TrainConfig(batch_size=8)


def checkpoint(folder: Path, step: int, states: list[str], config: TrainConfig = FOUR) -> Path:
    path = folder / f"checkpoint-{step}"
    path.mkdir()
    (path / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    save_checkpoint(path, {"a": torch.zeros(1)}, config)
    for name in states:
        torch.save({}, path / name)
    return path


@pytest.mark.usefixtures("second_of_two")
def test_only_a_checkpoint_that_both_finished_is_resumed(tmp_path: Path) -> None:
    checkpoint(tmp_path, 3, ["rng_state_0.pth", "rng_state_1.pth"])
    half = checkpoint(tmp_path, 6, ["rng_state_0.pth"])
    assert newest_checkpoint(tmp_path, FOUR) == str(tmp_path / "checkpoint-3")
    (half / "rng_state_1.pth").write_bytes((half / "rng_state_0.pth").read_bytes()[:50])
    assert newest_checkpoint(tmp_path, FOUR) == str(tmp_path / "checkpoint-3")


def test_another_number_of_processes_needs_the_same_examples_a_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = str(checkpoint(tmp_path, 3, ["rng_state.pth"], EIGHT))
    for name, value in {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    assert newest_checkpoint(tmp_path, FOUR) == found
    with pytest.raises(InputError, match=r"8 examples a step.*are 16.*set train.batch_size to 4"):
        newest_checkpoint(tmp_path, EIGHT)
    with pytest.raises(InputError, match="so that their product is 8"):
        newest_checkpoint(tmp_path, TrainConfig(batch_size=4, gradient_accumulation=3))
    half = checkpoint(tmp_path, 6, ["rng_state_0.pth"], FOUR)
    monkeypatch.delenv("LOCAL_RANK")
    assert newest_checkpoint(tmp_path, EIGHT) == found
    torch.save({}, half / "rng_state_1.pth")
    assert newest_checkpoint(tmp_path, EIGHT) == str(half)


@pytest.mark.usefixtures("second_of_two")
def test_the_second_keeps_quiet_about_what_all_have_found() -> None:
    assert (processes(), rank()) == (2, 1)
    assert isinstance(alike(InputError("x")), PeerError)


def test_alone_nothing_is_communicated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "8")  # left over from elsewhere: no launcher sets it without LOCAL_RANK
    assert (processes(), on_main(lambda: 3)) == (1, 3)


def test_what_torch_says_when_a_process_is_gone() -> None:
    assert is_peer_failure(
        RuntimeError("[/gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:5806.")
    )
    assert not is_peer_failure(RuntimeError("shapes cannot be multiplied"))
    assert not is_peer_failure(ValueError("Connection closed by peer"))
