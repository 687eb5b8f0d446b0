"""How image tokens become fewer."""

from __future__ import annotations

from typing import Literal, TypeAlias

#: ``merge``: bipartite soft matching (ToMe). ``prune``: what gets least attention goes: from the text; where the stream
#: has none, from the class token; where it has no class token either, from the other image tokens. ``both``: half of
#: what goes is left out first, the rest is merged (PuMer). ``pool``: neighbours in the image become one.
Way: TypeAlias = Literal["merge", "prune", "both", "pool"]
