"""The table of embedded models: what it promises of each, and what happens where its package is not installed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from skiptune.core.errors import InputError
from skiptune.models.embedded import EMBEDDED, EmbeddedModel, embedded_path
from skiptune.models.loading import load_config

SENTENCE = r"meter-photos is not installed; run: pip install skiptune-photos \(in a checkout: pip install \./photos\)"
#: The command line of a Python that lacks the second distribution.
WITHOUT_PHOTOS = (
    "import sys; sys.modules['skiptune_photos'] = None; from skiptune.cli import main; sys.argv[0] = 'skiptune'; main()"
)


def skiptune_without_photos(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", WITHOUT_PHOTOS, *arguments], capture_output=True, text=True)


@pytest.mark.parametrize("model", EMBEDDED.values(), ids=list(EMBEDDED))
def test_every_row_names_its_licence(model: EmbeddedModel) -> None:
    licence = model.license
    assert licence.name
    assert licence.terms.endswith(".")
    assert licence.link
    # Hugging Face model cards take SPDX identifiers in lower case, or "other" with a name of small letters
    assert licence.identifier == licence.identifier.lower()
    if licence.identifier == "other":
        assert licence.name == licence.name.lower().replace(" ", "-")


def test_only_research_weights_have_a_distribution_of_their_own() -> None:
    assert {model.distribution: model.license.identifier for model in EMBEDDED.values()} == {
        "skiptune": "apache-2.0",
        "skiptune-photos": "other",
    }


def test_a_model_whose_package_is_missing_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skiptune_photos", None)
    assert not EMBEDDED["meter-photos"].installed
    assert EMBEDDED["vilt-scenes"].installed
    with pytest.raises(InputError, match=SENTENCE):
        embedded_path("meter-photos")
    with pytest.raises(InputError, match=SENTENCE):
        load_config("meter-photos")


def test_models_are_listed_whether_installed_or_not() -> None:
    listed = skiptune_without_photos("models")
    assert listed.returncode == 0, listed.stderr
    lines = listed.stdout.splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("  meter-photos "))
    assert EMBEDDED["meter-photos"].description in lines[place]
    assert lines[place + 1].split() == f"not installed; run: {EMBEDDED['meter-photos'].how_to_install}".split()
    assert listed.stdout.count("not installed") == 1
    found = json.loads(skiptune_without_photos("models", "--json").stdout)
    assert found["embedded"]["meter-photos"] == EMBEDDED["meter-photos"].description
    assert found["paths"] == {"vilt-scenes": str(embedded_path("vilt-scenes")), "meter-photos": None}


def test_a_command_that_needs_it_is_refused() -> None:
    refused = skiptune_without_photos("cost", "meter-photos")
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: meter-photos is not installed; run: pip install skiptune-photos")
