"""Every key, no other, each in its size."""

from __future__ import annotations

import pytest
import torch

from skiptune import InputError
from skiptune.core.state_dicts import compare_shapes, refuse_misfit, shapes_of


def test_equal_shapes_pass() -> None:
    shapes = shapes_of({"a": torch.zeros(2, 3), "b": torch.zeros(())})
    assert shapes == {"a": (2, 3), "b": ()}
    assert not compare_shapes(shapes, {"b": torch.Size([]), "a": [2, 3]})
    refuse_misfit("it", shapes, shapes)


def test_every_kind_of_difference_is_named() -> None:
    wanted, found = {"a": (1,), "b": (2,), "c": (3,)}, {"b": (2, 1), "c": (3,), "d": (4,)}
    with pytest.raises(InputError, match=r"^it: missing \['a'\], unknown \['d'\], other sizes \['b'\]$"):
        refuse_misfit("it", wanted, found)


@pytest.mark.parametrize("other", [{}, {"a": (1,), "b": (1,)}, {"a": (2,)}])
def test_one_kind_of_difference_is_enough(other: dict[str, tuple[int, ...]]) -> None:
    assert compare_shapes({"a": (1,)}, other)
