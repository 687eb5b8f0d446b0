"""Models of a benchmark: a short text names a model, its skipped blocks, adapters and kernels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from ..config import SkipConfig
from ..core.errors import InputError
from ..core.validation import Problems, nearest
from ..exporting.load import load
from ..exporting.manifest import is_slim
from ..exporting.onednn import Packed, PackedLinear, prepare_for_inference
from ..exporting.plain.record import is_plain
from ..families.registry import family_of
from ..inserting.insert import insert
from ..inserting.pruning import prune
from ..inserting.selection import blocks_of, chosen_tokens
from ..models.architectures import ARCHITECTURES
from ..models.loading import source_of
from ..models.shared_copy import shared_copy
from ..models.usual_model import load_usual
from ..plan import Plan, TokenSchedule, check_skipped
from .bench_result import ModelSummary

_KEYS = ("skip", "plan", "adapters", "skip_adapter", "scope", "base", "kernels")
_KERNELS = ("torch", "onednn")
_EXAMPLE = "e.g. vilt-b32:skip=0,1,2,3:adapters=lora"


@dataclass(frozen=True)
class BenchModel:
    """One model of a benchmark.

    Attributes:
        text: the text that was given; also its name in results.
        source: a slim directory, or any name :func:`skiptune.load_model` takes.
        slim: whether ``source`` is a slim directory.
        plain: without our blocks: for ViLT and BridgeTower, transformers' own forward pass.
        skipped: names of the blocks that are gone.
        tokens: where image tokens become fewer; ``None``: nowhere.
        config: of the adapters in the others, which start at zero: time does not depend on what they learn.
        usual_adapters: none were named: LoRA where a family takes no bottlenecks.
        base: another place of a slim model's base.
        kernels: ``onednn``: prepared by :func:`skiptune.prepare_for_inference`; ``torch``: not.
    """

    text: str
    source: str
    slim: bool = False
    plain: bool = True
    skipped: tuple[str, ...] = ()
    config: SkipConfig | None = None
    usual_adapters: bool = False
    base: str | None = None
    kernels: str = "torch"
    tokens: TokenSchedule | None = None

    @property
    def same_outputs(self) -> tuple[str, tuple[str, ...], str] | None:
        """Models with the same value compute the same outputs; ``None``: not known, because it has its own weights."""
        return None if self.slim else (self.source, tuple(sorted(self.skipped)), str(self.tokens))


def parse_model(text: str) -> BenchModel:
    """Read ``NAME[:KEY=VALUE]…``, with ``skip=0,1`` or ``plan=FILE``, ``adapters=bottleneck|lora|none``,
    ``skip_adapter=bottleneck|folded|none``, ``scope=fusion|global``, ``base=BASE``, ``kernels=torch|onednn``.

    ``NAME`` is a slim directory, a finished run's, or the name of a model. Without options other than ``kernels`` it is
    measured as it is; if only blocks are named, ``adapters`` is ``bottleneck``, or ``lora`` where a family has no such.

    Raises:
        InputError: an unknown or repeated option, options that do not go together, or no such model; all problems in
            one message.
    """
    name, *parts = [text] if Path(text).is_dir() else text.split(":")
    options: dict[str, str] = {}
    problems = Problems(f"{text!r} names no model to measure")
    for part in parts:
        key, equals, value = part.partition("=")
        if not (equals and value.strip()):
            problems.add(f"{part!r} is not KEY=VALUE, {_EXAMPLE}")
        elif key not in _KEYS:
            problems.add(f"{key}: unknown option{nearest(key, _KEYS)}")
        elif key in options:
            problems.add(f"{key}: given twice")
        else:
            options[key] = value.strip()
    slim = next((folder for folder in (Path(name), Path(name) / "slim") if is_slim(folder)), None)
    for key in options:
        if slim is not None and key not in ("base", "kernels"):
            problems.add(f"{key}: {slim} is a slim model, whose blocks are settled; name its base model instead")
        elif slim is None and key == "base":
            problems.add(f"base: {name} is no slim model; only those have a base")
    problems.check(len(options.keys() & {"skip", "plan"}) < 2, "skip and plan: give one of them")
    kernels = options.pop("kernels", "torch")
    problems.check(kernels in _KERNELS, f"kernels: {kernels!r}{nearest(kernels, _KERNELS)}")
    problems.raise_any()
    if slim is not None:
        return BenchModel(text, str(slim), slim=True, plain=False, base=options.get("base"), kernels=kernels)
    _check_source(name)
    if not options:
        return BenchModel(text, name, kernels=kernels)
    config = {"block_adapter": options.get("adapters", "bottleneck"), "scope": options.get("scope", "fusion")}
    config |= {name: value for name, value in options.items() if name == "skip_adapter"}
    skipped = tuple(block.strip() for block in options.get("skip", "").split(",") if block.strip())
    tokens = None
    if "plan" in options:
        plan = Plan.load(options["plan"])
        skipped, tokens = plan.skipped, plan.tokens
    usual = "adapters" not in options
    return BenchModel(
        text, name, False, False, skipped, SkipConfig.from_dict(config), usual, kernels=kernels, tokens=tokens
    )


def _check_source(name: str) -> None:
    if name not in ARCHITECTURES:
        source_of(name)


class Builder:
    """Builds models that share the weights of their base, so that several variants take little more memory than one."""

    def __init__(self, labels: int, dtype: Any = None, device: str = "cpu") -> None:
        self._labels, self._dtype, self._device = labels, dtype, device
        self._bases: dict[str, nn.Module] = {}
        self._packed: Packed = {}

    def prepare(self, spec: BenchModel, model: nn.Module) -> None:
        """Prepare a built model for the kernels that it is measured with, in place.

        Raises:
            InputError: it cannot have them.
        """
        if spec.kernels == "torch":
            return
        prepare_for_inference(model, self._packed)
        if not any(isinstance(module, PackedLinear) for module in model.modules()):
            raise InputError(
                f"{spec.text}: kernels=onednn needs float32 on a CPU, and a torch with oneDNN's operations"
            )

    def build(self, model: BenchModel) -> nn.Module:
        """The model for inference, with torch's kernels.

        Raises:
            InputError: unknown blocks, or a model that cannot be loaded.
        """
        if model.slim:
            return self._settle(load(model.source, model.base))
        if model.source not in self._bases:
            own = is_plain(model.source)  # its head has its own answers
            base = load(model.source) if own else load_usual(model.source, self._labels, quiet=True)
            self._bases[model.source] = self._settle(base)
        base = shared_copy(self._bases[model.source])
        if model.config is None:
            return base.eval()
        try:
            usual = {"block_adapter": family_of(base).usual_adapter} if model.usual_adapters else {}
            adapted = insert(base, model.config.replace(**usual), merged=True)
            blocks = tuple(blocks_of(adapted))
            check_skipped(model.skipped, blocks)
            plan = Plan(family_of(adapted).name, blocks, model.skipped, tokens=model.tokens)
            return prune(adapted, plan).eval()
        except InputError as error:
            raise InputError(f"{model.text}: {error}") from None

    def _settle(self, model: nn.Module) -> nn.Module:
        return model.to(device=self._device, dtype=self._dtype).eval()


def describe(name: str, spec: BenchModel, model: nn.Module) -> ModelSummary:
    """The description of a built model in a result row: family, skipped blocks and image tokens, adapters, kernels."""
    config = getattr(model, "skip_config", None)
    skipped, tokens = spec.skipped, spec.tokens
    if spec.slim:
        skipped = tuple(block for block, module in blocks_of(model).items() if module.removed)
        tokens = chosen_tokens(model)
    return ModelSummary(
        model=name,
        family=family_of(model).name,
        skipped=skipped,
        adapters="none" if config is None else config.block_adapter,
        kernels=spec.kernels,
        tokens=tokens,
    )
