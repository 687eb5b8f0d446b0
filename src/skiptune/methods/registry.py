"""The table of methods."""

from __future__ import annotations

from collections.abc import Mapping

from .adapter_methods import Adapters, ParallelAdapters
from .fine_tuning import BitFit, Full, HeadOnly, ZeroShot
from .method import Method
from .peft_methods import Ia3, Lora
from .plan_methods import BestHeuristic, RandomPlan, Searched, SearchedAlone
from .prompt_methods import DeepPrompts, ShallowPrompts
from .token_methods import TokenMethod
from .token_shapes import FastV, PuMer, ToMe, VisionZip

METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        ZeroShot(),
        Full(),
        HeadOnly(),
        BitFit(),
        Lora(),
        Ia3(),
        ShallowPrompts(),
        DeepPrompts(),
        Adapters(),
        ParallelAdapters(),
        Searched("bottleneck"),
        Searched("lora"),
        RandomPlan("bottleneck"),
        RandomPlan("lora"),
        BestHeuristic("bottleneck"),
        BestHeuristic("lora"),
        SearchedAlone("blocks-lora", "blocks alone, LoRA", None),
        SearchedAlone("tokens-lora", "tokens alone, LoRA", "tokens"),
        SearchedAlone("uniform-lora", "uniform tokens, LoRA", "uniform"),
        TokenMethod("tome", "ToMe at inference, LoRA", Lora(), ToMe(), untrained=True),
        TokenMethod("tome-lora", "ToMe, LoRA", Lora(), ToMe()),
        TokenMethod("pumer", "PuMer, full tuning", Full(), PuMer()),
        TokenMethod("fastv", "FastV at inference, LoRA", Lora(), FastV(), untrained=True),
        TokenMethod("fastv-lora", "FastV, LoRA", Lora(), FastV()),
        TokenMethod("visionzip", "like VisionZip at inference, LoRA", Lora(), VisionZip(), untrained=True),
        TokenMethod("visionzip-lora", "like VisionZip, LoRA", Lora(), VisionZip()),
    )
}
