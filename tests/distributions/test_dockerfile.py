"""The Dockerfile: pinned, without root, secrets or downloads beside pip's, and with the command line's own names."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from skiptune.cli.main import app

ROOT = Path(__file__).parents[2]
PATH = ROOT / "docker" / "Dockerfile"
KNOWN = {
    "FROM", "ARG", "ENV", "RUN", "WORKDIR", "COPY", "USER", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"
}  # fmt: skip


def instructions() -> list[tuple[str, str]]:
    """Each with its arguments, on one line."""
    lines = [line for line in PATH.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in joined.splitlines()) if name]


def of(name: str) -> list[str]:
    return [rest for found, rest in instructions() if found == name]


def last_stage() -> list[tuple[str, str]]:
    found = instructions()
    return found[max(place for place, (name, _) in enumerate(found) if name == "FROM") :]


def ignored(name: str) -> bool:
    """As ``.dockerignore`` says: the last line that fits decides."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    fitting = [line for line in lines if line and line[0] != "#" and fnmatch(name, line.removeprefix("!"))]
    return bool(fitting) and not fitting[-1].startswith("!")


def test_only_known_instructions() -> None:
    assert {name for name, _ in instructions()} <= KNOWN


def test_base_images_have_a_version() -> None:
    images = [rest.split()[0] for rest in of("FROM")]
    assert len(set(images)) == 1  # built and run on the same
    assert re.fullmatch(r"python:3\.1[0-3]\.\d+-slim-\w+", images[0])


def test_it_runs_as_a_user_without_rights() -> None:
    names = [name for name, _ in last_stage()]
    user = dict(last_stage())["USER"]
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert "RUN" not in names[names.index("USER") :]
    assert f"--uid {user.split(':')[0]} " in dict(last_stage())["RUN"]


def test_no_secret_is_in_it_or_copied() -> None:
    text = PATH.read_text(encoding="utf-8")
    assert not re.search(r"(?i)token|passw|secret|api.?key|credential", text)
    assert ignored(".env")
    assert ignored("runs")
    assert ignored("id_rsa")
    assert not re.search(r"curl|wget|git clone|--trusted-host|chmod 777|sudo", text)


def test_it_names_no_address_but_its_own() -> None:
    lines = "\n".join(f"{name} {rest}" for name, rest in instructions())
    assert set(re.findall(r"\w+://[^\s/:'\"]+", lines)) == {"http://127.0.0.1"}
    assert "TORCH_INDEX" in of("ARG")  # without a default: pip's own index
    assert '${TORCH_INDEX:+--index-url "${TORCH_INDEX}"}' in "\n".join(of("RUN"))


def test_what_is_copied_exists_and_is_sent() -> None:
    copied = [rest.split()[:-1] for rest in of("COPY") if not rest.startswith("--from=build ")]
    names = [name for names in copied for name in names]
    assert "src" in names
    for name in names:
        assert (ROOT / name).exists(), name
        assert not ignored(name), name


def test_what_is_installed_is_what_the_project_has() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    [extras] = re.findall(r'pip install "\.\[([\w,]+)\]"', "\n".join(of("RUN")))
    assert all(re.search(rf"^{name} = \[", project, re.MULTILINE) for name in extras.split(","))
    [torch] = [rest.partition("=")[2] for rest in of("ARG") if rest.startswith("TORCH=")]
    least = re.search(r'"torch>=([\d.]+)"', project)
    assert least is not None
    assert [int(part) for part in torch.split(".")] >= [int(part) for part in least[1].split(".")]


def test_the_command_is_skiptunes() -> None:
    stage = dict(last_stage())
    assert json.loads(stage["ENTRYPOINT"]) == ["skiptune"]
    name, *given = json.loads(stage["CMD"])
    check = json.loads(stage["HEALTHCHECK"].partition("CMD ")[2])
    assert check[:2] == ["python", "-c"]
    compile(check[2], "HEALTHCHECK", "exec")
    port = given[given.index("--port") + 1]
    assert stage["EXPOSE"] == port
    assert f"http://127.0.0.1:{port}/healthz" in check[2]
    assert (stage["STOPSIGNAL"], given[given.index("--host") + 1]) == ("SIGTERM", "0.0.0.0")
    commands: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
    if name not in commands:
        pytest.skip(f"this version has no command {name}")
    commands[name].make_context(name, given)
