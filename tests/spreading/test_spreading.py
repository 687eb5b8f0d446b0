"""Addresses, versions, and what is sent to nodes; a cluster of two nodes is in ``tests/campaign``."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from skiptune import InputError
from skiptune.spreading.address import check_answers, read_address
from skiptune.spreading.cluster import Cluster, Needs, connected
from skiptune.spreading.node import Node, NodeFacts, check_versions, facts_here, make_probe
from skiptune.version import __version__


@pytest.mark.parametrize(
    "text", ["auto", "local", "10.0.0.1:6379", "head.cluster:6379", "ray://head:10001", "[::1]:6379"]
)
def test_addresses_are_those_of_ray(text: str) -> None:
    assert read_address(text) == text


@pytest.mark.parametrize(
    "text", ["", "head", "http://head:80", "head:0", "head:99999", "head:6379/x", "a b:1", ":6379"]
)
def test_other_addresses_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is none of auto, local, HOST:PORT and ray://HOST:PORT"):
        read_address(text)


def test_an_address_where_nothing_listens_is_refused_at_once() -> None:
    with pytest.raises(InputError, match=r"--ray 127\.0\.0\.1:9: nothing answers there \("):
        check_answers("127.0.0.1:9")
    check_answers("local")


def test_the_missing_extra_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(InputError, match=r'ray is not installed; run: pip install "skiptune\[ray\]"'),
        connected("local"),
    ):
        pass


def node(key: str, cpus: float = 4, gpus: float = 0) -> Node:
    return Node(key, f"{key} (10.0.0.1)", cpus, gpus)


def test_a_node_is_read_from_rays_list() -> None:
    entry = {"NodeID": "abc", "NodeManagerHostname": "one", "NodeManagerAddress": "10.0.0.2", "Resources": {"CPU": 8.0}}
    assert Node.of(entry) == Node("abc", "one (10.0.0.2)", 8.0, 0.0)


def test_a_node_does_as_many_tasks_as_it_has_cores_and_gpus_for() -> None:
    assert Needs(2).at_once(node("a", 5)) == 2
    assert Needs(2, 0.5).at_once(node("a", 16, 2)) == 4
    assert Needs(2, 0.5).at_once(node("a", 2, 2)) == 1
    assert Needs(4).at_once(node("a", 2)) == 0


def test_a_task_gets_its_share_of_the_smallest_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Cluster, "nodes", lambda self: [node("a", 8, 1), node("b", 4, 2)])
    assert Cluster("auto").share(1) == Needs(4, 1.0)
    assert Cluster("auto").share(2) == Needs(2, 0.5)
    assert Cluster("auto").share(9) == Needs(1, 1 / 9)
    assert Cluster("auto").at_once(Needs(4, 1.0)) == 2


def test_nodes_with_another_skiptune_are_refused_all_in_one_message() -> None:
    here = NodeFacts(host="here", python="3.11.7", skiptune="0.4.0", torch="2.13.0")
    same, other, none = here.replace(torch="2.9.0"), here.replace(skiptune="0.3.0"), here.replace(skiptune="")
    assert check_versions(here, [(node("a"), here), (node("b"), same)]) == [
        "b (10.0.0.1) has torch 2.9.0, this machine 2.13.0: results may differ a little"
    ]
    with pytest.raises(InputError, match="need the same version of skiptune") as caught:
        check_versions(here, [(node("a"), other), (node("b"), here), (node("c"), none)])
    assert str(caught.value).splitlines()[1:] == [
        "  - a (10.0.0.1): 0.3.0; here 0.4.0",
        "  - c (10.0.0.1): not installed; here 0.4.0",
    ]


def test_the_facts_of_this_machine() -> None:
    facts = facts_here()
    assert facts.skiptune == __version__
    assert facts.python == ".".join(map(str, sys.version_info[:3]))


def test_a_machine_without_skiptune_can_say_so(tmp_path: Path) -> None:
    cloudpickle = pytest.importorskip("ray.cloudpickle", reason="needs the extra ray")
    (tmp_path / "probe").write_bytes(cloudpickle.dumps(make_probe()))
    code = (
        "import sys, json, pickle\nsys.modules['skiptune'] = None\n"
        "print(json.dumps(pickle.load(open(sys.argv[1], 'rb'))()))"
    )
    found = subprocess.run(
        [sys.executable, "-c", f"import ray.cloudpickle\n{code}", str(tmp_path / "probe")],
        capture_output=True,
        check=True,
        text=True,
    )
    assert '"skiptune": ""' in found.stdout


def test_errors_come_back_whole() -> None:
    assert str(pickle.loads(pickle.dumps(InputError("train.jsonl: no such file")))) == "train.jsonl: no such file"
