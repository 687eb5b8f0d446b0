"""Recipes, rows and links of the README and the site."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from conftest import draw_square
from docs_pages import DOCS, KINDS, PAGES, ROOT, Page, words
from skiptune import read_jsonl, read_recipe
from skiptune.cli.main import app
from skiptune.running.packaged_recipes import packaged_recipes

RECIPES = packaged_recipes()
FRAGMENT = "# a fragment of a recipe\n"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_are_of_a_kind_that_is_tested(page: Page) -> None:
    assert {kind for kind, _ in page.blocks} <= set(KINDS)


@pytest.mark.parametrize(
    "text", [pytest.param(text, id=f"{page.name}-{n}") for page in PAGES for n, text in enumerate(page.of_kind("yaml"))]
)
def test_recipes_in_pages_are_valid(text: str, tmp_path: Path) -> None:
    """A fragment is one once it has an output."""
    (tmp_path / "recipe.yaml").write_text(f"output: runs/x\n{text}" if text.startswith(FRAGMENT) else text)
    assert read_recipe(tmp_path / "recipe.yaml").output


@pytest.mark.parametrize(
    "rows", [pytest.param(text, id=f"{page.name}-{n}") for page in PAGES for n, text in enumerate(page.of_kind("json"))]
)
def test_rows_in_pages_are_read(rows: str, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(rows)
    for number, name in enumerate(re.findall(r"[\w.-]+\.(?:jpg|png)", rows)):
        draw_square(tmp_path / name, number)
    found = read_jsonl(tmp_path / "rows.jsonl", tmp_path)
    assert (len(found.items), found.bad) == (len(rows.splitlines()), [])


@pytest.mark.parametrize("packaged", RECIPES)
def test_recipes_are_valid_and_start_with_their_command(packaged: str) -> None:
    path = RECIPES[packaged]
    first = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
    name, *arguments = words(first)[1:]
    get_command(app).commands[name].make_context(name, list(arguments))  # type: ignore[attr-defined]
    assert arguments == [packaged]
    recipe = read_recipe(packaged)
    assert recipe.output == yaml.safe_load(path.read_text(encoding="utf-8"))["output"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_exist(page: Page) -> None:
    for target in page.links:
        assert (page.path.parent / target).exists(), target


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\ntheme:")[0]
    for page in PAGES:
        if page.path.is_relative_to(DOCS):
            assert page.path.relative_to(DOCS).with_suffix(".md").as_posix() in navigation, page.name
