"""Where the tokens of images stand in the texts of a batch.

Image tokens that follow each other are a run: an image, a tile, or a frame. What becomes of a run's tokens depends on
the run alone: not on the text behind it, which grows while a model writes, nor on other examples of the batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from ...core.errors import InputError
from ...layers.token_reduction import TokenReduction, Tokens

_TOKENS = ("image_token_id", "video_token_id")


@dataclass(frozen=True)
class Runs:
    """Runs of one length.

    Attributes:
        numbers: of the rows of the batch that each is in. Reading them from ``rows`` would wait for a GPU.
        rows: the same, ``(runs, 1)``.
        columns: where the tokens that are left of them stand, ``(runs, tokens)``.
        whole: tokens of each at the model's input.
    """

    numbers: tuple[int, ...]
    rows: Tensor
    columns: Tensor
    whole: int

    def fewer(self, reduction: TokenReduction, stream: Tensor, sizes: Tensor) -> tuple[Runs, Tokens]:
        """The runs with the tokens that go on, still at their old columns, and those tokens.

        Args:
            reduction: what happens to them.
            stream: ``(batch, tokens, width)``.
            sizes: ``(batch, tokens)``.
        """
        tokens = Tokens.of(stream[self.rows, self.columns], None, 0)
        tokens = reduction(tokens._replace(sizes=sizes[self.rows, self.columns], whole=self.whole))
        return replace(self, columns=self.columns.gather(1, tokens.places)), tokens


def image_places(body: Any, given: tuple[Any, ...], named: Mapping[str, Any]) -> Tensor:
    """True where a text has tokens of images or videos, ``(batch, tokens)``, from the arguments of a model.

    Raises:
        InputError: it is given embeddings instead of ids.
    """
    ids = given[0] if given else named.get("input_ids")
    if ids is None:
        raise InputError(
            "input_ids: there are none, and embeddings do not tell which tokens are an image's, of which fewer go on "
            "in this model; pass ids"
        )
    numbers = [getattr(body.config, name) for name in _TOKENS if getattr(body.config, name, None) is not None]
    found: Tensor = torch.stack([ids == number for number in numbers]).any(0)
    return found


def runs_of(image: Tensor) -> tuple[Runs, ...]:
    """The runs of a batch, those of one length together.

    Args:
        image: true at tokens of images, ``(batch, tokens)``.
    """
    if image.shape[1] == 1:  # the next token of an answer; a run of one has none to lose
        return ()
    edges = pad(image.cpu().int(), (1, 1)).diff(dim=1)
    begins, ends = (edges == 1).nonzero(), (edges == -1).nonzero()[:, 1]
    lengths, device, found = ends - begins[:, 1], image.device, []
    for length in sorted(set(lengths.tolist())):
        own = begins[lengths == length]
        of_length = own.to(device)
        columns = of_length[:, 1:] + torch.arange(length, device=device)
        found.append(Runs(tuple(own[:, 0].tolist()), of_length[:, :1], columns, length))
    return tuple(found)
