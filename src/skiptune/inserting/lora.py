"""PEFT's LoRA (and (IA)³) in the linear layers of kept blocks; merged at export, so inference costs nothing extra."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from ..config import SkipConfig
from ..core.errors import InputError
from ..models.module_names import module_names

#: Stands between the name of a wrapped layer and the rest of a key, in PEFT's state dictionaries.
LORA = ".lora_"
_DOWN, _UP = ".lora_A.default.weight", ".lora_B.default.weight"


def add_lora(model: nn.Module, targets: Iterable[tuple[nn.Module, tuple[str, ...]]], config: SkipConfig) -> None:
    """Wrap linear layers in LoRA, in place. PEFT starts it as the identity.

    ``targets``: blocks, each with the names of its layers to wrap.

    Raises:
        InputError: PEFT's layers are in the model already, and this LoRA would take their place.
    """
    from peft import LoraConfig, inject_adapter_in_model

    if any(is_of_peft(name) for name, _ in model.named_parameters()):
        raise InputError(
            "block_adapter: 'lora': PEFT's adapters are in this model already; take what merge_and_unload() gives, or "
            "insert with block_adapter='none', which leaves them as they are"
        )

    names = module_names(model)
    wrapped = [f"{names[id(block)]}.{layer}" for block, layers in targets for layer in layers]
    alpha = _alpha(config)
    inject_adapter_in_model(LoraConfig(r=config.lora_rank, lora_alpha=alpha, target_modules=wrapped), model)


def refuse_wrapped(model: nn.Module) -> None:
    """Refuse to insert into what ``peft.get_peft_model`` gives: a wrapper, which is gone before the export.

    Raises:
        InputError: it is one.
    """
    if is_wrapped(model):
        raise InputError(
            f"model: a {type(model).__name__} is around it; insert into the model itself, and call get_peft_model "
            "afterwards if you need it"
        )


def is_wrapped(model: nn.Module) -> bool:
    """Whether a model is what ``peft.get_peft_model`` gives."""
    return any(kind.__name__ == "PeftModel" for kind in type(model).__mro__)


def _alpha(config: SkipConfig) -> int:
    return config.lora_alpha or 2 * config.lora_rank


def is_of_peft(name: str) -> bool:
    """Whether a parameter of this name is one that PEFT added."""
    return LORA in name or ".ia3_" in name


def merge_lora(model: nn.Module) -> nn.Module:
    """Merge every PEFT layer into the linear layer it wraps, in place. Without PEFT layers nothing changes."""
    return unwrap_lora(model, merge=True)


def unwrap_lora(model: nn.Module, merge: bool = False) -> nn.Module:
    """Replace PEFT's layers by the linear layers they wrap, in place. Without ``merge``, what they learnt is
    dropped."""
    if not any(is_of_peft(name) for name, _ in model.named_parameters()):
        return model
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, module in list(model.named_modules()):
        if isinstance(module, BaseTunerLayer):
            if merge:
                module.merge()
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, module.get_base_layer())
    if hasattr(model, "peft_config"):
        del model.peft_config
    return model


@torch.no_grad()
def fold_lora(model: nn.Module, state: Mapping[str, Tensor], config: SkipConfig) -> None:
    """Add LoRA's products to the weights of plain layers, in place: what :func:`merge_lora` computes, from the names
    and tensors that PEFT saves and without loading PEFT. Without such names nothing changes.
    """
    scale = _alpha(config) / config.lora_rank
    for name, down in state.items():
        if name.endswith(_DOWN):
            layer = name.removesuffix(_DOWN)
            model.get_parameter(f"{layer}.weight").addmm_(state[layer + _UP], down, alpha=scale)


def name_in_lora(name: str, wrapped: Iterable[str]) -> str:
    """The name of a parameter while the layers ``wrapped`` are in LoRA: PEFT puts one more module around them."""
    layer, _, own = name.rpartition(".")
    return f"{layer}.base_layer.{own}" if layer in wrapped else name
