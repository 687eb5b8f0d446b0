"""The files for Slurm and Kubernetes beside the guide: their syntax, their fields, and the commands in them."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from docs_pages import DOCS
from skiptune.cli.main import app

FOLDER = DOCS / "examples" / "cluster"
SCRIPTS, MANIFESTS = sorted(FOLDER.glob("*.sh")), sorted(FOLDER.glob("*.yaml"))
#: Kind -> fields of its ``spec``, as its published schema names them.
FIELDS = {
    "RayJob": {
        "entrypoint", "submissionMode", "shutdownAfterJobFinishes", "ttlSecondsAfterFinished", "backoffLimit",
        "rayClusterSpec",
    },
    "PersistentVolumeClaim": {"accessModes", "resources", "storageClassName"},
    "Service": {"clusterIP", "publishNotReadyAddresses", "selector", "ports"},
    "Job": {"completions", "parallelism", "completionMode", "backoffLimit", "template"},
}  # fmt: skip
POD = {"subdomain", "restartPolicy", "securityContext", "containers", "volumes"}
CONTAINER = {"name", "image", "command", "env", "ports", "resources", "volumeMounts"}
VERSIONS = {"RayJob": "ray.io/v1", "PersistentVolumeClaim": "v1", "Service": "v1", "Job": "batch/v1"}


def resources() -> list[dict[str, Any]]:
    return [found for path in MANIFESTS for found in yaml.safe_load_all(path.read_text(encoding="utf-8"))]


def pods(spec: Any) -> Iterator[dict[str, Any]]:
    """The pods inside a resource."""
    for value in spec.values() if isinstance(spec, dict) else spec if isinstance(spec, list) else ():
        if isinstance(value, dict) and "containers" in value:
            yield value
        yield from pods(value)


def of_kind(kind: str) -> dict[str, Any]:
    return next(found for found in resources() if found["kind"] == kind)


def check_command(text: str) -> None:
    """A command of ours is one that the command line takes."""
    name, *arguments = shlex.split(text)[1:]
    get_command(app).commands[name].make_context(name, arguments)  # type: ignore[attr-defined]


def test_there_are_all_four() -> None:
    assert (len(SCRIPTS), len(MANIFESTS)) == (2, 2)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_read_by_the_shell(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith(f"#!/bin/bash\n# sbatch {path.name} recipe.yaml\n")
    subprocess.run(["bash", "-n", path], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", path], check=True)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_ask_slurm_for_what_they_use(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    options = dict(re.findall(r"^#SBATCH --([\w-]+)=(\S+)$", text, re.MULTILINE))
    assert options["ntasks-per-node"] == "1"
    assert re.fullmatch(r"\d+:\d\d:\d\d", options["time"])
    assert int(options["nodes"]) > 1
    assert "cpus-per-task" in options
    assert ("SLURM_GPUS_ON_NODE" in text) == ("gpus-per-node" in options)
    command = re.search(r"^ +(?:-m )?(skiptune .*)$", text, re.MULTILINE)
    assert command
    check_command(command[1].replace('"$recipe"', "recipe.yaml"))


def test_resources_have_the_fields_of_their_kinds() -> None:
    assert {found["kind"] for found in resources()} == FIELDS.keys()
    for found in resources():
        assert found.keys() == {"apiVersion", "kind", "metadata", "spec"}
        assert found["apiVersion"] == VERSIONS[found["kind"]]
        assert found["spec"].keys() <= FIELDS[found["kind"]]


def test_pods_mount_what_they_have_and_run_as_nobody_special() -> None:
    found = [pod for one in resources() for pod in pods(one)]
    assert len(found) == 3
    for pod in found:
        assert pod.keys() <= POD
        assert pod["securityContext"]["runAsNonRoot"]
        volumes = {volume["name"] for volume in pod["volumes"]}
        for container in pod["containers"]:
            assert container.keys() <= CONTAINER
            assert {mount["name"] for mount in container["volumeMounts"]} == volumes
            assert all(isinstance(variable["value"], str) for variable in container["env"])
            assert container["resources"]["requests"].keys() <= container["resources"]["limits"].keys()


def test_the_cluster_has_one_head_without_trials_and_workers_of_the_same_image() -> None:
    spec = of_kind("RayJob")["spec"]
    check_command(spec["entrypoint"])
    head, (workers,) = spec["rayClusterSpec"]["headGroupSpec"], spec["rayClusterSpec"]["workerGroupSpecs"]
    assert head["rayStartParams"]["num-cpus"] == "0"
    assert workers["minReplicas"] <= workers["replicas"] <= workers["maxReplicas"]
    assert len({pod["containers"][0]["image"] for pod in pods(spec)}) == 1
    assert all(isinstance(value, str) for value in head["rayStartParams"].values())


def test_the_processes_of_a_training_find_each_other() -> None:
    job, service = of_kind("Job"), of_kind("Service")
    pod, name = job["spec"]["template"]["spec"], job["metadata"]["name"]
    (container,) = pod["containers"]
    options = dict(option[2:].split("=") for option in container["command"] if option.startswith("--"))
    assert options["rdzv-endpoint"] == f"{name}-0.{service['metadata']['name']}:{service['spec']['ports'][0]['port']}"
    assert pod["subdomain"] == service["metadata"]["name"]
    assert service["spec"]["selector"] == {"job-name": name}
    assert int(options["nnodes"]) == job["spec"]["completions"] == job["spec"]["parallelism"]
    check_command(" ".join(container["command"][container["command"].index("skiptune") :]))
