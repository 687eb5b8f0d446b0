"""How long the campaign is: a short form by default, the long one with ``SKIPTUNE_CAMPAIGN=long``.

``SKIPTUNE_CAMPAIGN_SEED`` draws other kills; generated inputs take their seed from ``pytest --hypothesis-seed``.
"""

from __future__ import annotations

import os
from typing import TypeVar

T = TypeVar("T")

LONG = os.environ.get("SKIPTUNE_CAMPAIGN") == "long"
SEED = int(os.environ.get("SKIPTUNE_CAMPAIGN_SEED", "0"))


def by_form(short: T, long: T) -> T:
    """The value of the form that runs now."""
    return long if LONG else short
