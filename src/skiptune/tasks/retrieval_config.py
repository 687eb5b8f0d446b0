"""How retrieval is trained and measured."""

from __future__ import annotations

from pydantic import Field

from ..core.validated import Validated
from ..core.validation import LARGEST

FALSE_TEXTS = 15
SHORTLIST = 32
#: Recall is measured at these ranks.
RANKS = (1, 5, 10)


class RetrievalConfig(Validated):
    """How retrieval is trained.

    Attributes:
        false_texts: texts of other images that go with every image.
        matching_loss: add the loss of image-text matching, as the released run of METER does; the model has to come
            with a head for it, which a family's ranking model starts from (METER, BridgeTower).
        shortlist: evaluate only so many pairs of every text and every image, the nearest by the encoders alone, if the
            model's pre-training made them comparable (``meter-photos``); others are compared in all pairs. ``None``:
            all pairs, always.
    """

    false_texts: int = Field(default=FALSE_TEXTS, ge=1, le=1000)
    matching_loss: bool = False
    shortlist: int | None = Field(default=SHORTLIST, ge=max(RANKS), le=LARGEST)
