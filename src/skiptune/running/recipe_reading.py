"""Read a recipe from YAML or JSON, with changes from the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..core.errors import InputError
from ..core.text_files import parse_json, read_text
from ..core.validation import Problems, is_text, nearest, problem_lines, shortened
from ..core.yaml_text import parse_yaml
from ..data.data_config import PATHS
from .packaged_recipes import packaged_recipes
from .recipe import Recipe

#: Bytes of a recipe; reading YAML takes a second for some hundred thousand.
_LARGEST = 2**16

#: What a file holds that is no mapping, in words.
_KINDS = {str: "a text", list: "a list", int: "a number", float: "a number"}


def read_recipe(source: str | Path, overrides: Sequence[str] = (), output: str | None = None) -> Recipe:
    """Read a recipe from a file, or a packaged one by name.

    Paths in the file are relative to the file; those of a packaged recipe, paths in ``overrides``
    (``section.field=value``) and ``output`` to the working directory. Of several overrides of one field the last
    counts.

    Raises:
        InputError: every problem of the recipe in one message, with the nearest valid name for a typo.
    """
    packaged = packaged_recipes()
    path, folder = Path(source), Path(source).parent
    if not path.is_file() and str(source) in packaged:
        path, folder = packaged[str(source)], Path()
    if not is_text(str(source)) or not path.exists():
        raise InputError(f"{source}: no such file or packaged recipe{nearest(str(source), packaged)}")
    text = read_text(path, _LARGEST)
    values = (parse_json if path.suffix == ".json" else parse_yaml)(text, str(source))
    if values is None:
        raise InputError(f"{source}: the file is empty; expected a mapping with output, model, data, …")
    if not isinstance(values, dict):
        kind = _KINDS.get(type(values), "a single value")
        raise InputError(f"{source}: expected a mapping with output, model, data, …; found {kind}")
    values = _absolute(values, folder)
    return recipe_of_values(values, str(source), overrides, output)


def recipe_of_values(
    values: dict[str, Any], source: str, overrides: Sequence[str] = (), output: str | None = None
) -> Recipe:
    """A recipe of plain values, as a file has them, changed as :func:`read_recipe` says.

    Args:
        values: by section; changed in place.
        source: what messages call it.
        overrides: ``section.field=value``.
        output: instead of the recipe's.

    Raises:
        InputError: every problem in one message.
    """
    problems = Problems(f"{source} is not a valid recipe")
    for override in overrides:
        _override(values, override, problems)
    if output is not None:
        values["output"] = output
    try:
        recipe = Recipe.from_dict(values)
    except InputError as error:
        for line in problem_lines(error):
            problems.add(line)
        raise problems.error() from None
    problems.raise_any()
    return recipe


def _absolute(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    data = values.get("data")
    if isinstance(data, dict):
        for name in PATHS:
            data.update({name: _resolved(data[name], folder)} if name in data else {})
    return values


def _resolved(value: Any, folder: Path) -> Any:
    """A path, or each of a list of paths, relative to ``folder``; anything else is returned unchanged and refused
    later."""
    if isinstance(value, list):
        return [_resolved(entry, folder) for entry in value]
    return str((folder / Path(value).expanduser()).resolve()) if is_text(value) else value


def _override(values: dict[str, Any], override: str, problems: Problems) -> None:
    """Apply ``section.field=value``; the value is read as YAML."""
    name, equals, text = override.partition("=")
    override = shortened(override)
    section, _, entry = name.partition(".")
    if not equals or not section:
        problems.add(f"--set {override}: expected name=value, e.g. train.epochs=2")
        return
    try:
        value = parse_yaml(text, name)
    except InputError:
        problems.add(f"--set {override}: {shortened(text)!r} is not a YAML value")
        return
    if section == "data" and entry in PATHS:
        value = _resolved(value, Path())
    if not entry:
        values[section] = value
        return
    if values.get(section) is None:
        values[section] = {}
    if not isinstance(values[section], dict):
        problems.add(f"--set {override}: {section} has no fields")
        return
    target = values[section]
    *parents, last = entry.split(".")
    for key in parents:
        target = target.setdefault(key, {})
        if not isinstance(target, dict):
            problems.add(f"--set {override}: {section}.{key} has no fields")
            return
    target[last] = value
