"""What a token schedule refuses, and what a plan does with one."""

from __future__ import annotations

from typing import Any

import pytest

import skiptune as st
from skiptune.core.errors import InputError
from skiptune.reporting.report import _tokens


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"keep": {0: 0.5, "0": 0.3}}, "keep: 0, 0: a block is named twice"),
        ({"frozen": ["3", 3]}, "frozen: 3, 3: a layer is named twice"),
        ({"keep": {"0": 0.5, "1": 0.5}}, "shares must become smaller"),
        ({"keep": {"0": float("nan")}}, "is not a number between 0 and 1"),
        ({}, "no block is named"),
    ],
)
def test_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        st.TokenSchedule(**given)


def test_told_in_short() -> None:
    keep, frozen = {"0": 0.5, "2": 0.25}, ("2", "3")
    assert st.TokenSchedule(keep=keep).brief == "25% of the image tokens left"
    assert st.TokenSchedule(frozen=("3",)).brief == "image tokens unchanged through 1 layer"
    told = st.TokenSchedule(keep=keep, frozen=frozen)
    assert told.brief == "25% of the image tokens left, unchanged through 2 layers"
    assert _tokens(told, "2") == "from here on 25% of the image tokens, image tokens pass unchanged"
    assert (_tokens(told, "3"), _tokens(told, "1"), _tokens(None, "1")) == ("image tokens pass unchanged", "", "")


def test_a_model_without_places_says_so() -> None:
    schedule = st.TokenSchedule(keep={"0": 0.5}, frozen=("1",))
    with pytest.raises(InputError) as refused:
        schedule.check_places((), (), "it reads texts alone")
    assert "cannot become fewer (it reads texts alone); leave keep out" in str(refused.value)
    assert "cannot pass layers unchanged; leave frozen out" in str(refused.value)


def test_a_plan_has_frozen_layers_in_the_models_order() -> None:
    """As it has skipped blocks: two orders are one plan."""
    one, other = (
        st.Plan("llava", ("0", "1", "2"), ("0",), tokens=st.TokenSchedule(frozen=names))
        for names in (("1", "2"), ("2", "1"))
    )
    assert one == other
    with pytest.raises(InputError, match="tokens: a dict is not a TokenSchedule or None"):
        st.Plan("vilt", ("0", "1"), (), tokens={"keep": {"0": 0.5}})  # type: ignore[arg-type]


def test_choose_takes_a_plan_of_this_model_or_names_and_a_schedule() -> None:
    model = st.insert(st.load_model("vilt-tiny", "vqa", quiet=True, num_labels=4), st.SkipConfig())
    blocks, tokens = ("0", "1", "2", "3"), st.TokenSchedule(keep={"1": 0.5})
    with pytest.raises(InputError, match="a dict is not a TokenSchedule"):
        st.choose(model, (), {"keep": {"1": 0.5}})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="the plan has a schedule of its own, or none"):
        st.choose(model, st.Plan("vilt", blocks, ()), tokens)
    for plan in (st.Plan("meter", blocks, (), tokens=tokens), st.Plan("vilt", blocks[:2], (), tokens=tokens)):
        with pytest.raises(InputError, match="the plan is for a"):
            st.choose(model, plan)


def test_the_way_says_nothing_where_tokens_nowhere_become_fewer() -> None:
    frozen = st.TokenSchedule(way="prune", frozen=("1",))
    assert frozen == st.TokenSchedule(frozen=("1",))
    assert frozen.to_dict() == st.TokenSchedule(frozen=("1",)).to_dict()
    assert st.TokenSchedule(way="prune", keep={"1": 0.5}, frozen=("1",)).way == "prune"
