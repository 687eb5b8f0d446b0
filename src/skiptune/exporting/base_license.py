"""The licence of a slim model's base, which the slim model inherits."""

from __future__ import annotations

import re
from pathlib import Path

from ..core.validated import Validated
from ..models.embedded import EMBEDDED

#: An address that cannot end a Markdown link or begin HTML.
_ADDRESS = re.compile(r"https://[^\s()<>\[\]\"'`\\]+")


class BaseLicense(Validated):
    """A licence as a model card states it.

    Attributes:
        identifier: for the card's metadata: an identifier of the hub's list, or ``other``.
        name: its name.
        terms: a sentence for a reader; empty where only the identifier is known.
        link: where its text is, an address or in words; empty: not known.
    """

    identifier: str
    name: str
    terms: str = ""
    link: str = ""

    @property
    def url(self) -> str | None:
        """``link``, if it is an address that others can open."""
        return self.link if _ADDRESS.fullmatch(self.link) else None


def base_license(base: str) -> BaseLicense | None:
    """The licence of a base; ``None``: not known.

    Embedded models carry theirs in :data:`skiptune.models.embedded.EMBEDDED`. A directory, of a slim or a converted
    model, may have a model card that names one.
    """
    if not base:  # the path of no name would be the working directory
        return None
    folder = Path(base).expanduser()
    for model in EMBEDDED.values():
        if base == model.name or (model.installed and folder.resolve() == model.path.resolve()):
            license = model.license
            place = license.link if "://" in license.link else f"{license.link} in the package {model.distribution}"
            return BaseLicense(identifier=license.identifier, name=license.name, terms=license.terms, link=place)
    return _of_card(folder / "README.md")


def _of_card(path: Path) -> BaseLicense | None:
    if not path.is_file():
        return None
    from huggingface_hub.repocard import metadata_load

    try:
        metadata = metadata_load(path) or {}
    except Exception:  # the hub's client and its YAML reader raise many kinds; a card is free text
        return None
    identifier, name, link = (metadata.get(key) for key in ("license", "license_name", "license_link"))
    if not isinstance(identifier, str):
        return None
    terms = "" if identifier != "other" else "Read it before you use the model."
    place = str(link) if _ADDRESS.fullmatch(str(link)) else ""
    return BaseLicense(identifier=identifier, name=str(name or identifier), terms=terms, link=place)
