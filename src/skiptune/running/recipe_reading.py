"""Read a recipe from YAML or JSON, with changes from the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ..core.errors import InputError
from ..core.validation import Problems, is_text, nearest, problem_lines
from ..data.data_config import PATHS
from .packaged_recipes import packaged_recipes
from .recipe import Recipe


class _Loader(yaml.SafeLoader):
    """Takes ``1e-3`` and ``1.5e3`` for numbers, as YAML 1.2 and people do; PyYAML's own rules want ``1.0e-3``."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)

#: What a file holds that is no mapping, in words.
_KINDS = {str: "a text", list: "a list", int: "a number", float: "a number"}


def read_recipe(source: str | Path, overrides: Sequence[str] = (), output: str | None = None) -> Recipe:
    """Read a recipe from a file, or a packaged one by name.

    Paths in the file are relative to the file; paths in ``overrides`` (``section.field=value``) and ``output`` to the
    working directory.

    Raises:
        InputError: every problem of the recipe in one message, with the nearest valid name for a typo.
    """
    packaged = packaged_recipes()
    path = Path(source)
    if not path.is_file() and str(source) in packaged:
        path = packaged[str(source)]
    try:
        text = path.read_text(encoding="utf-8")
        values = json.loads(text) if path.suffix == ".json" else _yaml(text)
    except FileNotFoundError:
        raise InputError(f"{source}: no such file or packaged recipe{nearest(str(source), packaged)}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{source}: cannot be read ({error})") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{source}: not valid JSON: {error}") from None
    except yaml.YAMLError as error:
        raise InputError(f"{source}: not valid YAML: {' '.join(str(error).split())}") from None
    if values is None:
        raise InputError(f"{source}: the file is empty; expected a mapping with output, model, data, …")
    if not isinstance(values, dict):
        kind = _KINDS.get(type(values), "a single value")
        raise InputError(f"{source}: expected a mapping with output, model, data, …; found {kind}")
    values = _absolute(values, path.parent)
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


def _yaml(text: str) -> Any:
    return yaml.load(text, _Loader)


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
    section, _, entry = name.partition(".")
    if not equals or not section:
        problems.add(f"--set {override}: expected name=value, e.g. train.epochs=2")
        return
    try:
        value = _yaml(text)
    except yaml.YAMLError:
        problems.add(f"--set {override}: {text!r} is not a YAML value")
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
