"""Work on two nodes, one of which is killed in the middle: nothing is lost, results are those of one machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from two_nodes import TwoNodes, two_nodes

from campaign_form import LONG
from conftest import write_recipe
from skiptune.spreading.cluster import Needs, connected
from skiptune.spreading.spread import Spread

pytestmark = [
    pytest.mark.skipif(not LONG, reason="every process of Ray takes seconds to start; make campaign"),
    pytest.mark.skipif(sys.platform == "win32", reason="kills processes"),
    pytest.mark.timeout(1800),
    # Ray leaves files and sockets to the garbage collector
    pytest.mark.filterwarnings("ignore"),
]
SHORT: dict[str, Any] = {"search": {"max_steps": 2, "candidates": 3, "batches": 1}, "train": {"max_steps": 4}}


@pytest.fixture(scope="module")
def cluster_of_two() -> Iterator[TwoNodes]:
    with two_nodes() as found:
        yield found


@pytest.fixture
def nodes(cluster_of_two: TwoNodes) -> TwoNodes:
    """Both nodes, also after a test that killed one."""
    cluster_of_two.add()
    return cluster_of_two


def noting(log: Path, seconds: float) -> Callable[[int], tuple[int, str]]:
    """A function that notes when it begins and when it ends, and gives the square of a number and its node."""

    def work(number: int) -> tuple[int, str]:
        import time

        import ray

        with log.open("a") as file:
            file.write(f"begins {number}\n")
        if number < 0:
            raise ValueError(f"{number} is below 0")
        time.sleep(seconds)
        with log.open("a") as file:
            file.write(f"ends {number}\n")
        return number**2, ray.get_runtime_context().get_node_id()

    return work


def test_a_node_that_dies_loses_nothing_that_is_finished(nodes: TwoNodes, tmp_path: Path) -> None:
    log, found, ended_before = tmp_path / "log", {}, set[int]()
    with connected(nodes.address) as cluster:
        assert cluster.at_once(Needs(1)) == 2
        with Spread[int, tuple[int, str]](cluster, noting(log, 0.5), Needs(1), keep=True) as spread:
            for number in range(6):
                spread.add(number)
            for ended in spread.ended():
                assert ended.result is not None, ended.failure
                found[ended.item] = ended.result
                if len({node for _, node in found.values()}) == 2 and not ended_before:
                    ended_before = set(found)
                    nodes.kill()
        assert {number: square for number, (square, _) in found.items()} == {n: n**2 for n in range(6)}
        lines = log.read_text().splitlines()
        assert all(lines.count(f"begins {number}") == 1 for number in ended_before)
        until = time.monotonic() + 120
        while cluster.at_once(Needs(1)) > 1:  # Ray takes a while to notice
            assert time.monotonic() < until
            time.sleep(0.5)


def test_what_raises_is_told_and_not_done_again(nodes: TwoNodes, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with (
        connected(nodes.address) as cluster,
        Spread[int, tuple[int, str]](cluster, noting(log, 0), Needs(1)) as spread,
    ):
        spread.add(-1)
        spread.add(2)
        found = {ended.item: ended for ended in spread.ended()}
    assert found[-1].failure == "ValueError: -1 is below 0"
    assert found[2].result is not None
    assert found[2].result[0] == 4
    assert log.read_text().splitlines().count("begins -1") == 1


def test_what_is_not_done_is_stopped_when_the_work_is_left(nodes: TwoNodes, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with connected(nodes.address) as cluster:
        with Spread[int, tuple[int, str]](cluster, noting(log, 600), Needs(1)) as spread:
            for number in range(4):
                spread.add(number)
            while not log.is_file():
                time.sleep(0.1)
        with Spread[int, tuple[int, str]](cluster, noting(log, 0), Needs(1)) as spread:
            for number in (10, 11):  # there is room again
                spread.add(number)
            assert len(list(spread.ended())) == 2
    assert not any(f"ends {number}" in log.read_text().splitlines() for number in range(4))


def command(*arguments: str | Path) -> subprocess.Popen[str]:
    """A command in a process of its own, with a thread as a task on a node has."""
    return subprocess.Popen(
        [sys.executable, "-m", "skiptune", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def done(process: subprocess.Popen[str]) -> None:
    output = process.communicate()[0]
    assert process.returncode == 0, output


def test_a_comparison_is_that_of_one_machine_though_a_node_dies(
    nodes: TwoNodes, data_folder: Path, tmp_path: Path
) -> None:
    compare = {"methods": ["lora", "das-lora", "head"], "seeds": [0, 1]}
    for name in ("here", "there"):
        output = str(tmp_path / name)
        write_recipe(tmp_path / f"{name}.yaml", data_folder, output=output, **SHORT, compare=compare)
    done(command("compare", tmp_path / "here.yaml", "--jobs", str(os.cpu_count())))
    with command("compare", tmp_path / "there.yaml", "--ray", nodes.address) as process:
        while not list(tmp_path.glob("there/compare/*/*/result.json")):
            assert process.poll() is None
            time.sleep(0.1)
        nodes.kill()
        done(process)
    for path in tmp_path.glob("here/compare/*/*/result.json"):
        other = tmp_path / "there" / path.relative_to(tmp_path / "here")
        here, there = json.loads(path.read_text()), json.loads(other.read_text())
        assert here["node"] is None
        assert there["node"]["skiptune"]
        for name in ("metric", "terms", "skipped", "steps", "trainable", "macs_g", "measures", "strategy"):
            assert here[name] == there[name], name


def test_strategies_choose_as_on_one_machine(nodes: TwoNodes, data_folder: Path, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "recipe.yaml", data_folder, output=str(tmp_path / "here"), **SHORT)
    options = ("--compare", "--strategy", "policy,influence,first,random")
    done(command("search", recipe, *options))
    done(command("search", recipe, *options, "--output", tmp_path / "there", "--ray", nodes.address))
    here, there = (json.loads((tmp_path / name / "compare" / "compare.json").read_text()) for name in ("here", "there"))
    timed = {"seconds": 0, "cost": 0}
    assert [{**row, **timed} for row in here["rows"]] == [{**row, **timed} for row in there["rows"]]
    (tmp_path / "there" / "compare" / "policy.json").unlink()  # what is there is read, the rest is searched again
    done(command("search", recipe, *options, "--output", tmp_path / "there", "--ray", nodes.address))


def test_a_file_of_answers_is_that_of_one_machine_though_a_node_dies(nodes: TwoNodes, tmp_path: Path) -> None:
    fixtures = Path(__file__).parents[1] / "fixtures" / "0.3"
    images = fixtures / "data" / "images"
    rows = [
        {"image": path.name, "question": f"what colour is it, {k}?"} for k in range(100) for path in images.glob("*")
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = ("--data", tmp_path / "rows.jsonl", "--images", images, "--batch-size", "2")
    done(command("predict", fixtures / "run", *options, "--output", tmp_path / "here.jsonl"))
    there = tmp_path / "there.jsonl"
    with command("predict", fixtures / "run", *options, "--output", there, "--ray", nodes.address) as process:
        while not list(tmp_path.glob("there.jsonl.parts/*[0-9]*")) and not there.exists():
            assert process.poll() is None
            time.sleep(0.05)
        nodes.kill()
        done(process)
    assert there.read_bytes() == (tmp_path / "here.jsonl").read_bytes()
