"""Checks of a family: its gradients."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from ..config import SkipConfig
from ..inserting.folding import unused
from ..inserting.parameter_groups import parameter_groups
from ..inserting.selection import blocks_of, choose
from .trial import Trial, differences, is_state, run

#: Recomputed numbers may be rounded by other kernels.
_ROUNDING = 1e-5


def gradients(trial: Trial) -> Iterator[str]:
    """Gradients reach all adapters that are used, and nothing that is frozen."""
    lora = SkipConfig(block_adapter="lora", lora_rank=2)
    configs = [trial.config] if trial.config.block_adapter == "lora" else [trial.config, lora]
    configs = [config for config in configs if config.block_adapter != "lora" or _has_lora(trial)]
    for config in configs:
        model = trial.adapted(config, noise=True)
        skipped = trial.names[::2] if len(trial.names) > 1 else ()
        choose(model, skipped)
        found, groups = _gradients(model, trial), parameter_groups(model)
        reached = [name for name in groups["body"] if name in found]
        if reached:
            yield f"gradients reach {len(reached)} frozen parameters, e.g. {reached[0]}"
        names = {id(parameter): name for name, parameter in model.named_parameters()}
        idle = unused(model)  # folded adapters need a kept neighbour
        for block_name, block in blocks_of(model).items():
            if block.skipped and block in idle:
                continue
            group = groups["skip_adapters" if block.skipped else "block_adapters"]
            own = [names[id(parameter)] for parameter in block.parameters() if names[id(parameter)] in group]
            missing = [name for name in own if name not in found]
            if missing or (own and not any(bool(found[name].any()) for name in own)):
                state = "skipped" if block.skipped else "kept"
                yield f"no gradient reaches {(missing or own)[0]} of block {block_name}, which is {state}"


def gradient_checkpointing(trial: Trial) -> Iterator[str]:
    """Gradients are the same with it."""
    if not trial.model.supports_gradient_checkpointing:
        return
    plain, saving = (trial.adapted(noise=True).train() for _ in range(2))
    # the name in transformers before and after 5.24
    enable = getattr(saving, "activation_checkpointing_enable", None) or saving.gradient_checkpointing_enable
    enable({"use_reentrant": False})
    skipped = trial.names[:1] if len(trial.names) > 1 else ()
    wanted, found = (_gradients(model, trial, skipped) for model in (plain, saving))
    for said in differences(found, wanted, _ROUNDING)[:3]:
        yield f"the gradient of {said} from that without gradient checkpointing"


def _has_lora(trial: Trial) -> bool:
    return any(kind.lora_targets for kind in trial.family.kinds)


def _gradients(model: PreTrainedModel, trial: Trial, skipped: tuple[str, ...] | None = None) -> dict[str, Tensor]:
    """Gradients by parameter, of the sum of all results in a random direction."""
    if skipped is not None:
        choose(model, skipped)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # of dropout
        results = [value for name, value in run(model, trial.inputs).items() if not is_state(name)]
    generator = torch.Generator().manual_seed(0)
    parts = [(value * torch.randn(value.shape, generator=generator).to(value)).sum() for value in results]
    total = torch.stack([part.float() for part in parts if part.requires_grad]).sum()
    torch.autograd.backward(total)
    return _by_name(model)


def _by_name(model: nn.Module) -> dict[str, Tensor]:
    return {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
