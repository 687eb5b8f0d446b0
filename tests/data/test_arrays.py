"""Pictures as arrays of numbers look like the same pictures in files."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from skiptune import InputError, Record
from skiptune.data.pictures import decode

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "given",
    [
        PIXELS,
        PIXELS.transpose(2, 0, 1),
        PIXELS.astype(np.int64),
        PIXELS.astype(np.uint16) * 256,
        PIXELS / 255,
        PIXELS.astype(np.float32),
        torch.from_numpy(PIXELS),
        torch.from_numpy(PIXELS).permute(2, 0, 1),
        torch.from_numpy(PIXELS).permute(2, 0, 1) / 255,
        (torch.from_numpy(PIXELS).float() / 255).requires_grad_(),
    ],
)
def test_colours_first_or_last_whole_or_fractions(given: np.ndarray | torch.Tensor) -> None:
    found = decode(Record(given).image)  # type: ignore[arg-type]
    assert np.array_equal(np.asarray(found), PIXELS)


def test_where_both_ends_could_be_colours() -> None:
    square = RNG.integers(0, 256, (3, 4, 3), dtype=np.uint8)
    assert decode(Record(square).image).size == (4, 3)  # type: ignore[arg-type]
    assert decode(Record(torch.from_numpy(square)).image).size == (3, 4)  # type: ignore[arg-type]


def test_greys_and_transparent_parts_look_as_in_files() -> None:
    grey = PIXELS[..., 0]
    for given in (grey, grey[..., None], grey[None], grey > 255):
        assert decode(Record(given).image).getpixel((0, 0))[0] in (grey[0, 0], 0)  # type: ignore[arg-type, index]
    clear = np.dstack((PIXELS, np.zeros((5, 7), dtype=np.uint8)))
    assert np.asarray(decode(Record(clear).image)).min() == 255  # type: ignore[arg-type]
    assert decode(Record(torch.ones(3, 4, 4, dtype=torch.bfloat16)).image) == Image.new("RGB", (4, 4), "white")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.zeros((0, 3)), r"shape \(0, 3\)"),
        (np.zeros((5, 6, 7)), r"shape \(5, 6, 7\)"),
        (np.zeros(5), r"shape \(5,\)"),
        (PIXELS - 128.0, "not scaled by a processor"),
        (PIXELS * np.nan, "numbers from nan"),
        (PIXELS.astype(np.int32) * 1000, "numbers from"),
        (np.array([["a"]]), "an array of <U1"),
        (PIXELS.astype(complex), "an array of complex128"),
    ],
)
def test_what_is_no_picture(given: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=f"image: .*{said}"):
        Record(given)  # type: ignore[arg-type]
