"""Pre-trained models that come as packages."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

#: Embedded pre-trained models by name, with a line for ``skiptune models``.
EMBEDDED = {
    "vilt-scenes": "12-block ViLT, 2.5 M parameters, pre-trained on generated scenes (72 px, 12 px patches)",
    "meter-photos": "6 + 6 fusion layer METER, 19.7 M parameters, pre-trained on photos (160 px); research use only",
}


def embedded_path(name: str) -> Path:
    """The directory of an embedded model inside the package."""
    return Path(str(files("skiptune") / "assets" / name))
