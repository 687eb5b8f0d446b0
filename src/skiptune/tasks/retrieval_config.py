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
    """Settings of retrieval.

    CLIP and SigLIP use none of them: their false partners are the other pairs of a batch, and all pairs are compared.

    Attributes:
        false_texts: texts of other images that go with every image.
        matching_loss: add the loss of image-text matching, as the released METER run does. The pre-trained model needs
            a head for it (METER, BridgeTower).
        shortlist: number of partners that an evaluation scores for every text and every image, the nearest by the
            encoders alone. Only for models with contrastively pre-trained encoders (``meter-photos``); others score all
            pairs. ``None``: always all pairs.
    """

    false_texts: int = Field(default=FALSE_TEXTS, ge=1, le=1000)
    matching_loss: bool = False
    shortlist: int | None = Field(default=SHORTLIST, ge=max(RANKS), le=LARGEST)
