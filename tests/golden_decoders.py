"""Numbers made by running the authors' decoders, LaVIN-DAS and LLaVA-DAS (../shared/golden/decoders): reading them."""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import LlamaForCausalLM

FOLDER = Path(__file__).parents[1] / ".." / "shared" / "golden" / "decoders"
needs_golden = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"golden numbers are not here: {FOLDER}")
KINDS = ("lavin_pl", "lavin_mm", "llava")
TOLERANCE = 1e-5
PLAIN = "orig_noadapter"
#: What transformers' models call a cache, since 5.24 and before.
CACHE = "cache" if "cache" in inspect.signature(LlamaForCausalLM.forward).parameters else "past_key_values"


@dataclass(frozen=True)
class Golden:
    """The files of one kind of decoder; everything about it is read from them."""

    kind: str

    def _json(self, name: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((FOLDER / f"{self.kind}_{name}.json").read_text(encoding="utf-8"))
        return content

    @property
    def config(self) -> dict[str, Any]:
        return self._json("config")

    @property
    def trace(self) -> dict[str, Any]:
        return self._json("policy_trace")

    @property
    def words(self) -> int:
        return int(self.config["model"]["vocab_size"])

    @property
    def layers(self) -> int:
        model = self.config["model"]
        return int(model.get("n_layers", model.get("num_hidden_layers")))

    def tensors(self, name: str) -> dict[str, Tensor]:
        """``name``: ``state_dict``, ``inputs``, ``generation`` or ``out_…``."""
        return _tensors(self.kind, name)

    def outputs(self) -> list[str]:
        """What was computed: nothing inserted, nothing skipped, some sets skipped."""
        beginning = f"{self.kind}_out_"
        return sorted(path.stem.removeprefix(beginning) for path in FOLDER.glob(f"{beginning}*.safetensors"))

    def skipped(self, name: str) -> tuple[str, ...]:
        """The layers that are skipped in one of :meth:`outputs`."""
        return () if name == PLAIN else tuple(map(str, self.config["skip"][name]))


@cache
def _tensors(kind: str, name: str) -> dict[str, Tensor]:
    content: dict[str, Tensor] = load_file(FOLDER / f"{kind}_{name}.safetensors")
    return content


def all_outputs() -> list[tuple[str, str]]:
    """Every kind with each of its outputs."""
    return [(kind, name) for kind in KINDS for name in Golden(kind).outputs()]


def renamed(state: dict[str, Tensor], names: dict[str, str]) -> dict[str, Tensor]:
    """Tensors by transformers' and our names: each beginning and part of a name in ``names`` is replaced, in order."""
    found = {}
    for name, tensor in state.items():
        for old, new in names.items():
            name = name.replace(old, new)
        found[name] = tensor
    return found


def beneath(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin so, without that."""
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def hidden_first_token(tokens: int, batch: int = 1) -> Tensor:
    """A causal mask to add, ``(batch, 1, tokens, tokens)``, in which nobody but itself sees the first token."""
    seen = torch.ones(tokens, tokens).tril()
    seen[1:, 0] = 0
    return (1 - seen).mul(torch.finfo(torch.float32).min).expand(batch, 1, -1, -1).clone()


def relative(ours: Tensor, theirs: Tensor) -> float:
    """Largest difference, relative to the largest number."""
    assert ours.shape == theirs.shape
    return float((ours.detach() - theirs).abs().max() / theirs.abs().max())


@torch.no_grad()
def decoder_states(model: Any, **inputs: Any) -> dict[str, Tensor]:
    """``hidden_0`` … as the authors count them, the last one before the final norm, ``normed`` and ``logits``."""
    found: dict[str, Tensor] = {}
    norm = model.base_model.get_submodule(
        "language_model.norm" if hasattr(model.base_model, "language_model") else "norm"
    )
    hook = norm.register_forward_pre_hook(lambda module, args: found.update(last=args[0]))
    try:
        output = model(**inputs, output_hidden_states=True, use_cache=False)
    finally:
        hook.remove()
    states = output.hidden_states
    found |= {f"hidden_{number}": state for number, state in enumerate(states[:-1])}
    found |= {f"hidden_{len(states) - 1}": found.pop("last"), "normed": states[-1], "logits": output.logits}
    return found


@torch.no_grad()
def greedy(model: Any, stream: Tensor, steps: int, words: int, hidden: bool, cached: bool) -> Tensor:
    """Logits of the first ``words`` at each greedy step, ``(steps, words)``.

    With a cache only the new token is computed, without one the whole sequence again.

    Args:
        model: generates.
        stream: the prompt's embeddings, ``(1, tokens, width)``.
        steps: new tokens.
        words: that can be generated.
        hidden: whether nobody but itself sees the first token.
        cached: whether there is a cache.
    """
    found: list[Tensor] = []
    past: dict[str, Any] = {}
    for _ in range(steps):
        new = stream[:, -1:] if past else stream
        mask = hidden_first_token(stream.shape[1])[:, :, -new.shape[1] :] if hidden else None
        output = model(inputs_embeds=new, attention_mask=mask, use_cache=cached, **past)
        found.append(output.logits[0, -1, :words])
        past = {CACHE: output[CACHE]} if cached else {}
        stream = torch.cat((stream, model.get_input_embeddings()(found[-1].argmax()[None, None])), dim=1)
    return torch.stack(found)
