"""Plans and their reports: the file format of 0.3 in and out, and what ``print`` shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from skiptune import Budget, InputError, Plan, SearchConfig, SearchReport
from skiptune.plan import Certainty, Comparisons, Round
from written_by_0_3 import FIXTURES

BLOCKS = ("0", "1", "2", "3")
CERTAINTY = Certainty(confidence=0.97, expected_regret=0.003, spread=0.05, likely=2, sets=6)


def round_of(**changes: object) -> Round:
    return Round(**{"candidates": ((0, 1), (2, 3)), "losses": (0.5, 0.25), "preferences": (0.0,) * 4, **changes})


@pytest.mark.parametrize("name", ["run", "half", "policy"])
def test_plans_of_0_3_are_written_as_they_were(name: str, tmp_path: Path) -> None:
    path = FIXTURES / name / "plan.json"
    Plan.load(path).save(tmp_path / "plan.json")
    written, before = json.loads((tmp_path / "plan.json").read_text()), json.loads(path.read_text())
    for part, usual in {"search": SearchConfig(), "budget": Budget(num_skip=1)}.items():
        settings = written["details"][part]
        for field in settings.keys() - before["details"][part].keys():
            assert settings.pop(field) == usual.to_dict()[field]  # that 0.3 did not have
    assert written == before


def test_what_a_report_knows_comes_back_from_the_file(tmp_path: Path) -> None:
    report = SearchReport(
        seed=3,
        seconds=12.5,
        steps=4,
        training_steps=9,
        comparisons=Comparisons(subnetworks=8, examples=64, seconds=1.5),
        rounds=(round_of(confidence=0.5), round_of(rewards=(1.0, -1.0), step=7)),
        certainty=CERTAINTY,
    )
    plan = Plan("vilt", BLOCKS, ("1",), "bandit", dict.fromkeys(BLOCKS, 0.0), report)
    plan.save(tmp_path / "plan.json")
    details = json.loads((tmp_path / "plan.json").read_text())["details"]
    assert (details["of"], details["confidence"], details["likely"]) == (9, 0.97, 2)
    assert "rewards" not in details["rounds"][0]
    assert "training_steps" not in details
    assert "certainty" not in details
    again = Plan.load(tmp_path / "plan.json")
    assert again == plan
    assert again.steps == 4


def test_a_plan_without_a_report() -> None:
    plan = Plan("vilt", BLOCKS, ("1",))
    assert plan.to_dict()["details"] == {}
    again = Plan.from_dict(plan.to_dict())
    assert again.report is None
    assert again.steps == 0
    given = Plan("vilt", BLOCKS, ("1",), source="--skip")
    assert given.to_dict()["details"] == {"source": "--skip"}
    assert Plan.from_dict(given.to_dict()) == given


def test_an_edited_report_is_refused_with_the_field() -> None:
    content = {**Plan("vilt", BLOCKS, ("1",)).to_dict(), "details": {"steps": "many", "rounds": [{"losses": [1]}]}}
    with pytest.raises(InputError) as caught:
        Plan.from_dict(content, "plan.json")
    assert str(caught.value).startswith("plan.json is not a plan: details")
    for text in ("steps: 'many'", "rounds.candidates: missing"):
        assert text in str(caught.value), text


def test_print_shows_what_was_chosen_how_sure_that_is_and_what_it_cost() -> None:
    took = Comparisons(subnetworks=96, examples=1536, seconds=40.0)
    rounds = (round_of(), round_of())
    report = SearchReport(
        seconds=200.0, steps=64, training_steps=640, comparisons=took, rounds=rounds, certainty=CERTAINTY
    )
    assert str(report).splitlines() == [
        "compared:  96 subnetworks in 2 rounds, 40 s",
        "certainty: 97% that no other of 6 sets is better; 2 may be the best",
        "           0.003 of loss expected to be lost; sets differ by 0.05",
        "cost:      64 of the training's 640 steps, 3 min 20 s in all",
    ]
    assert str(Plan("vilt", BLOCKS, ("3", "1"), "bandit", report=report)).splitlines() == [
        "vilt: 2 of 4 blocks skipped, strategy bandit",
        "skipped:   1, 3",
        "kept:      0, 2",
        *str(report).splitlines(),
    ]
    assert str(Plan("vilt", BLOCKS, ())).splitlines()[1:] == ["skipped:   none", "kept:      0, 1, 2, 3"]
