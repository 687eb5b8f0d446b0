"""A recipe: everything a run needs, as YAML, checked as a whole before any work starts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from ..config import Budget, Config, SearchConfig, SkipConfig, TrainConfig
from ..core.errors import InputError
from ..core.validation import Problems, is_number, is_text, nearest
from ..data.data_config import DataConfig
from ..families.family import Family
from ..methods.compare_config import CompareConfig
from ..models.loading import load_family
from ..tasks import TASKS
from ..tasks.retrieval import RetrievalConfig


class _Loader(yaml.SafeLoader):
    """Takes ``1e-3`` and ``1.5e3`` for numbers, as YAML 1.2 and people do; PyYAML's own rules want ``1.0e-3``."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)

#: Fields of ``data`` that are paths.
_PATHS = (
    *("train", "images", "annotations"),
    *(f"{part}{kind}" for part in ("validation", "test") for kind in ("", "_images", "_annotations")),
)
BASELINES = ("unskipped", "random", "full")


@dataclass(frozen=True)
class BenchConfig(Config):
    """Latency measured at the end of a run: batch sizes and how often each model takes its turn."""

    batch_sizes: tuple[int, ...] = (1, 32)
    repeats: int = 20

    def validate(self, problems: Problems) -> None:
        sizes = self.batch_sizes
        good = isinstance(sizes, list | tuple) and bool(sizes) and all(is_number(size, 1, whole=True) for size in sizes)
        problems.check(good, f"batch_sizes: {sizes!r} is not a list of whole numbers ≥ 1")
        problems.check(is_number(self.repeats, 2, whole=True), f"repeats: {self.repeats!r} is not a whole number ≥ 2")


#: LoRA on kept blocks where :class:`SkipConfig` has the paper's bottlenecks: with as many parameters it answers better
#: (``benchmarks/kept_adapters.py``), and merged it costs nothing.
ADAPTERS = SkipConfig(block_adapter="lora")
_PRESETS: dict[str, dict[str, Config]] = {
    "default": {"adapters": ADAPTERS},
    "paper": {
        "adapters": SkipConfig.paper(),
        "search": SearchConfig.paper(),
    },
}


@dataclass(frozen=True)
class Recipe:
    """A complete run.

    Attributes:
        output: directory for everything the run leaves.
        model: embedded name, directory or hub id.
        preset: ``default``, or ``paper`` for the released semantics, restart included; what the recipe gives overrides
            it. Its training settings depend on the family and the task; :func:`with_preset` puts them in, as soon as a
            run is made of the recipe.
        start: what the final training starts from: the adapters of the ``search``, whose steps are then the first
            ones of the training, or the ``pretrained`` model with fresh adapters (the paper's restart).
        task: ``vqa``, ``reasoning`` (a statement about one image or two), ``retrieval`` or ``entailment``.
        baselines: trained beside it with the same settings: ``unskipped``, ``random`` plan, ``full`` tuning.
        compare: which methods ``skiptune compare`` trains side by side, and on which seeds.
        retrieval: how that task is trained; ``None`` for the others.
        encoder_cache: GiB that a file in the output may take, in which what frozen encoders say of images and texts is
            kept from one epoch, step and method to the next (METER); ``None``: encode anew every time.
        given_training: the fields of ``train`` that the recipe itself names, until ``train`` is complete; ``None``: it
            is.
    """

    output: str
    model: str = "vilt-scenes"
    preset: str = "default"
    start: str = "search"
    task: str = "vqa"
    baselines: tuple[str, ...] = ()
    data: DataConfig = field(default_factory=DataConfig)
    adapters: SkipConfig = ADAPTERS
    budget: Budget = field(default_factory=lambda: Budget(num_skip=4))
    search: SearchConfig = field(default_factory=SearchConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    bench: BenchConfig = field(default_factory=BenchConfig)
    compare: CompareConfig = field(default_factory=CompareConfig)
    retrieval: RetrievalConfig | None = None
    encoder_cache: float | None = None
    given_training: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)

    @property
    def task_options(self) -> dict[str, Any]:
        """Arguments of the task."""
        return {} if self.retrieval is None else self.retrieval.to_dict()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as in YAML."""
        result: dict[str, Any] = {}
        for name in _FIELDS:
            value = getattr(self, name)
            result[name] = value.to_dict() if isinstance(value, Config) else value
        result["baselines"] = list(self.baselines)
        return result


_FIELDS = tuple(entry.name for entry in fields(Recipe) if entry.name != "given_training")
_SECTIONS: dict[str, type[Config]] = {
    "data": DataConfig,
    "adapters": SkipConfig,
    "budget": Budget,
    "search": SearchConfig,
    "train": TrainConfig,
    "bench": BenchConfig,
    "compare": CompareConfig,
}


def packaged_recipes() -> dict[str, Path]:
    """Recipes that come with the package, by name."""
    folder = Path(str(files("skiptune") / "recipes"))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def with_preset(recipe: Recipe, family: Family | None = None) -> Recipe:
    """The recipe with ``train`` completed: with ``preset: paper``, by the released settings of the family and task.

    Args:
        recipe: as read.
        family: of its model; ``None``: look it up, for which the model's configuration is read.

    Raises:
        InputError: unknown model, or no family covers it.
    """
    if recipe.preset != "paper" or recipe.given_training is None:
        return recipe
    released = (family or load_family(recipe.model)).released[recipe.task]
    training = TrainConfig.from_dict({**released, **recipe.given_training})
    return replace(recipe, train=training, given_training=None)


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
    if not isinstance(values, dict):
        raise InputError(f"{source}: expected a mapping with output, model, data, …; found {type(values).__name__}")
    values = _absolute(values, path.parent)
    problems = Problems(f"{source} is not a valid recipe")
    for override in overrides:
        _override(values, override, problems)
    if output is not None:
        values["output"] = output
    return _build(values, problems)


def _yaml(text: str) -> Any:
    return yaml.load(text, _Loader)


def _absolute(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    data = values.get("data")
    if isinstance(data, dict):
        for name in _PATHS:
            data.update({name: _resolved(data[name], folder)} if name in data else {})
    return values


def _resolved(value: Any, folder: Path) -> Any:
    """A path, or each of a list of them, seen from ``folder``; anything else as it is, to be refused later."""
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
    if section == "data" and entry in _PATHS:
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


def _build(values: Mapping[str, Any], problems: Problems) -> Recipe:
    for name in values:
        problems.check(name in _FIELDS, f"{name}: unknown field{nearest(name, _FIELDS)}")
    for name in ("output", "model"):
        value = values.get(name, None if name == "output" else "vilt-scenes")
        problems.check(is_text(value), f"{name}: {value!r} is not a text")
    preset = values.get("preset", "default")
    start = values.get("start", "pretrained" if preset == "paper" else "search")
    task = values.get("task", "vqa")
    problems.check(task in tuple(TASKS), f"task: {task!r}{nearest(str(task), TASKS)}")
    problems.check(preset in tuple(_PRESETS), f"preset: {preset!r}{nearest(str(preset), _PRESETS)}")
    starts = ("pretrained", "search")
    problems.check(start in starts, f"start: {start!r}{nearest(str(start), starts)}")
    baselines = values.get("baselines") or ()
    if not isinstance(baselines, list | tuple):
        problems.add(f"baselines: {baselines!r} is not a list")
        baselines = ()
    for name in baselines:
        problems.check(name in BASELINES, f"baselines: {name!r}{nearest(str(name), BASELINES)}")
    sections = {
        name: _section(name, kind, values.get(name), _PRESETS.get(str(preset), {}).get(name), problems)
        for name, kind in _SECTIONS.items()
    }
    retrieval = values.get("retrieval")
    if task == "retrieval":
        sections["retrieval"] = _section("retrieval", RetrievalConfig, retrieval, None, problems)
    elif retrieval is not None:
        problems.add(f"retrieval: settings of another task than {task!r}; leave them out")
    _check_cache(values.get("encoder_cache"), sections, problems)
    problems.raise_any()
    names = ("output", "model", "preset", "task", "encoder_cache")
    plain = {name: values[name] for name in names if name in values}
    plain |= {"start": start, "given_training": values.get("train") or {}}
    return Recipe(**plain, baselines=tuple(baselines), **sections)  # type: ignore[arg-type]


def _check_cache(gib: Any, sections: Mapping[str, Any], problems: Problems) -> None:
    if gib is None:
        return
    problems.check(is_number(gib, 0) and gib > 0, f"encoder_cache: {gib!r} is not a number of GiB above 0, or null")
    if getattr(sections["train"], "augment", None):
        problems.add("encoder_cache: train.augment shows other images every time, so nothing could be kept; drop one")
    if getattr(sections["adapters"], "scope", None) == "global":
        problems.add("encoder_cache: with adapters.scope: global the encoders are trained too; leave it out")


def _section(name: str, kind: type[Config], given: Any, preset: Config | None, problems: Problems) -> Config | None:
    if given is None:
        given = {}
    if not isinstance(given, dict):
        problems.add(f"{name}: {given!r} is not a mapping")
        return None
    if kind is Budget and not given:
        given = {"num_skip": 4}
    merged = {**(preset.to_dict() if preset else {}), **given}
    try:
        return kind.from_dict(merged)
    except InputError as error:
        for line in str(error).splitlines()[1:]:
            problems.add(f"{name}.{line.removeprefix('  - ')}")
        return None
