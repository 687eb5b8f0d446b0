"""Pooling: image tokens become the means of rectangles of neighbours."""

from __future__ import annotations

from itertools import pairwise

import torch

from skiptune.layers.token_pooling import Grid, pooled
from skiptune.layers.token_reduction import TokenReduction, Tokens, merged


def test_neighbours_become_their_mean() -> None:
    image = torch.arange(16.0).view(1, 16, 1)
    found, sizes, first = pooled(image, torch.ones(1, 16), Grid(4, 4), Grid(2, 2))
    assert found.flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
    assert sizes.flatten().tolist() == [4.0] * 4
    assert first.flatten().tolist() == [0, 2, 8, 10]


def test_means_are_weighted_by_sizes_and_padding_changes_nothing() -> None:
    image, sizes = torch.tensor([[[1.0], [5.0], [9.0], [7.0]]]), torch.tensor([[3.0, 1.0, 0.0, 2.0]])
    found, larger, _ = pooled(image, sizes, Grid(1, 4), Grid(1, 2))
    assert found.flatten().tolist() == [2.0, 7.0]
    assert larger.tolist() == [[4.0, 2.0]]


def test_every_smaller_grid_has_no_empty_cell_and_loses_no_token() -> None:
    shares = [number / 20 for number in range(20, 0, -1)]
    for whole in (Grid(6, 6), Grid(12, 20), Grid(1, 7), Grid(5, 3)):
        grids = [whole.share(share) for share in shares]
        assert grids[0] == whole
        for now, then in pairwise(grids):
            assert 1 <= then.rows <= now.rows
            assert 1 <= then.columns <= now.columns
            _, sizes, _ = pooled(torch.ones(1, now.tokens, 1), torch.ones(1, now.tokens), now, then)
            assert int(sizes.min()) > 0
            assert int(sizes.sum()) == now.tokens


def test_pooling_twice_stays_within_the_image() -> None:
    """The second time the tokens are those of the first time's grid."""
    stream = torch.arange(36.0).view(1, 36, 1)
    tokens = Tokens.of(torch.cat((torch.full((1, 2, 1), -1.0), stream), dim=1), None, 2)
    once = TokenReduction(0.45, "pool", None)(tokens)
    assert once.stream.shape[1] == 2 + 16
    twice = TokenReduction(0.1, "pool", None, before=0.45)(once)
    assert twice.stream[0, :2].flatten().tolist() == [-1.0, -1.0]
    assert twice.stream.shape[1] == 2 + 4
    assert float((twice.stream[0, 2:, 0] * twice.sizes[0, 2:]).sum()) == float(stream.sum())
    assert twice.places.tolist() == [[0, 3, 18, 21]]


def test_a_grid_of_which_the_columns_are_not_known() -> None:
    assert Grid.of(49) == Grid(7, 7)
    assert Grid.of(50) == Grid(1, 50)
    assert Grid.of(240, 20) == Grid(12, 20)


def test_a_mean_of_many_large_values_is_one_in_float16() -> None:
    """Their sum is no number of float16."""
    image, sizes = torch.full((1, 16, 2), 30_000.0, dtype=torch.float16), torch.ones(1, 16)
    for found in (pooled(image, sizes, Grid(4, 4), Grid(2, 2))[0], merged(image, sizes, image, 8)[0]):
        assert found.dtype == torch.float16
        assert found.unique().tolist() == [30_000.0]
