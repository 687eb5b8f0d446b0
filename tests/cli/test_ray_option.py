"""``--ray`` is looked at before any work."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Call


@pytest.mark.parametrize("command", [("compare",), ("search", "--compare")])
def test_what_is_no_address_is_refused(command: tuple[str, ...], call: Call, tiny_recipe: Callable[..., Path]) -> None:
    code, _, err = call(*command, tiny_recipe(), "--ray", "head")
    assert (code, err) == (2, "error: --ray: 'head' is none of auto, local, HOST:PORT and ray://HOST:PORT")


@pytest.mark.parametrize("command", [("compare",), ("search", "--compare")])
def test_nothing_is_begun_where_nothing_answers(
    command: tuple[str, ...], call: Call, tiny_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    pytest.importorskip("ray", reason="needs the extra ray")
    code, _, err = call(*command, tiny_recipe(), "--ray", "127.0.0.1:9")
    assert code == 2
    assert "error: --ray 127.0.0.1:9: nothing answers there" in err
    assert not (tmp_path / "recipe-run").exists()


def test_the_missing_extra_is_told(
    call: Call, tiny_recipe: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    code, _, err = call("compare", tiny_recipe(), "--ray", "local")
    assert (code, err) == (2, 'error: the library ray is not installed; run: pip install "skiptune[ray]"')


def test_a_single_search_takes_no_cluster(call: Call, tiny_recipe: Callable[..., Path]) -> None:
    code, _, err = call("search", tiny_recipe(), "--ray", "local")
    assert (code, "a single search works in one process" in err) == (2, True)


def test_a_single_question_takes_no_cluster(call: Call) -> None:
    code, _, err = call("predict", "nowhere", "picture.png", "what?", "--ray", "local")
    assert (code, err) == (2, "error: --ray: only with --data FILE or --data FOLDER")
