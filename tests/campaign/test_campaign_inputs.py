"""Whatever is wrong with what people hand over: a result or a sentence, soon, and never another meaning."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import surfaces
from bad_input import KEPT, BadInput, Outcome, call
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from workspace import Workspace, make_workspace

from campaign_form import LONG, by_form
from original_checkpoints import GOLDEN

pytestmark = pytest.mark.timeout(by_form(300, 7200))


@dataclass(frozen=True)
class Surface:
    """Where bad input comes in.

    Attributes:
        make: the strategy of bad inputs.
        check: what must be true of an outcome, beside what is true of all.
        few: how many are tried in the short form.
        many: in the long form.
    """

    make: Callable[[Workspace], st.SearchStrategy[BadInput]]
    check: Callable[[BadInput, Outcome, Path, Workspace], None]
    few: int
    many: int


SURFACES = {
    "recipe": Surface(surfaces.recipes, surfaces.check_refused, 8, 500),
    "rows": Surface(surfaces.rows, surfaces.check_rows, 4, 300),
    "format": Surface(surfaces.formats, surfaces.check_nothing, 4, 300),
    "image": Surface(surfaces.images, surfaces.check_nothing, 4, 300),
    "weights": Surface(surfaces.weights, surfaces.check_nothing, 3, 200),
    "checkpoint": Surface(surfaces.checkpoints, surfaces.check_nothing, 2, 150),
    "slim": Surface(surfaces.slim_models, surfaces.check_as_before, 4, 300),
    "run": Surface(surfaces.runs, surfaces.check_run, 2, 150),
    "command": Surface(surfaces.command_lines, surfaces.check_nothing, 8, 500),
}


@pytest.fixture(scope="module")
def workspace(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = make_workspace(tmp_path_factory.mktemp("workspace"), data_folder)
    here = tmp_path_factory.mktemp("as-it-was")
    shutil.copytree(made.folder / "run" / "slim", here / "slim")
    outcome = call(BadInput("slim", surfaces.PREDICT), here, made.folder)
    (made.folder / "answer.json").write_text(outcome.out, encoding="utf-8")
    return made


def try_out(bad: BadInput, tmp_path: Path, workspace: Workspace) -> None:
    """Hand over ``bad`` in an empty folder and check the outcome."""
    here = tmp_path / "here"
    shutil.rmtree(here, ignore_errors=True)
    here.mkdir()
    outcome = call(bad, here, workspace.folder)
    SURFACES[bad.surface].check(bad, outcome, here, workspace)


@pytest.mark.parametrize("name", SURFACES)
def test_bad_input_ends_with_a_result_or_a_sentence(name: str, workspace: Workspace, tmp_path: Path) -> None:
    surface, failed = SURFACES[name], []
    if name == "checkpoint" and not GOLDEN.is_dir():
        pytest.skip(f"weights of the original code are not here: {GOLDEN}")

    @settings(
        max_examples=by_form(surface.few, surface.many),
        deadline=None,  # the time of a call is checked
        derandomize=not LONG,
        database=None,
        report_multiple_bugs=False,
        # looking for a smaller input takes minutes, explaining it takes longer still
        phases=by_form([Phase.generate], [Phase.generate, Phase.shrink]),
        suppress_health_check=list(HealthCheck),
    )
    @given(surface.make(workspace))
    def holds(bad: BadInput) -> None:
        try:
            try_out(bad, tmp_path, workspace)
        except BaseException:
            failed.append(bad)
            raise

    try:
        holds()
    except BaseException:
        if failed:
            print(f"the last bad input that failed is kept: {failed[-1].save()}")
        raise


@pytest.mark.parametrize("path", sorted(KEPT.glob("*.json")), ids=lambda path: path.stem)
def test_what_once_failed_ends_with_a_result_or_a_sentence(path: Path, workspace: Workspace, tmp_path: Path) -> None:
    try_out(BadInput.read(path), tmp_path, workspace)
