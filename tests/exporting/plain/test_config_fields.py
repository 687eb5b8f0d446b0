"""Fields of configurations that speak of layers, after some have gone."""

from __future__ import annotations

from typing import Any

import pytest
from transformers import AutoConfig

from skiptune import InputError
from skiptune.exporting.plain.config_fields import without_layers
from skiptune.exporting.plain.stacks import Stack

IMAGE, TEXT = ("vision_config",), ("text_config",)


def left(config: Any, stack: Stack) -> Any:
    return without_layers(config, [stack])


def test_a_decoders_lists() -> None:
    config = AutoConfig.for_model("qwen2", num_hidden_layers=6, use_sliding_window=True, max_window_layers=3)
    found = left(config, Stack("model.layers", (), 6, (0, 2, 3, 5)))
    assert (found.num_hidden_layers, found.max_window_layers) == (4, 2)
    assert found.layer_types == ["full_attention"] * 2 + ["sliding_attention"] * 2
    assert config.num_hidden_layers == 6


def test_gemmas_pattern_does_not_survive() -> None:
    config = AutoConfig.for_model("gemma3_text", num_hidden_layers=6, sliding_window_pattern=2)
    found = left(config, Stack("model.layers", (), 6, (1, 3, 4)))
    assert found.layer_types == ["full_attention", "full_attention", "sliding_attention"]
    assert "sliding_window_pattern" not in found.to_dict()


@pytest.mark.parametrize(
    ("given", "kept", "wanted"),
    [
        (-2, (0, 1, 2), -1),  # the last layer's output is not read
        (-2, (0, 1, 3), -2),
        (-1, (0, 2), -1),
        (3, (0, 2, 3), 2),
        ([-3, -1], (1, 2, 3), [-3, -1]),
        ([1, -2], (0, 3), [1, -2]),
    ],
)
def test_the_image_towers_hidden_state(given: Any, kept: tuple[int, ...], wanted: Any) -> None:
    config = AutoConfig.for_model("llava", vision_feature_layer=given)
    config.vision_config.num_hidden_layers = 4
    found = left(config, Stack("tower", IMAGE, 4, kept))
    assert found.vision_feature_layer == wanted
    assert found.vision_config.num_hidden_layers == len(kept)
    assert left(config, Stack("decoder", TEXT, 32, tuple(range(31)))).vision_feature_layer == given


def test_numbers_of_layers_of_qwens_towers() -> None:
    windows = AutoConfig.for_model("qwen2_5_vl")
    windows.vision_config.depth, windows.vision_config.fullatt_block_indexes = 6, [1, 3, 5]
    found = left(windows, Stack("visual.blocks", IMAGE, 6, (0, 1, 4, 5))).vision_config
    assert (found.depth, list(found.fullatt_block_indexes)) == (4, [1, 3])
    levels = AutoConfig.for_model("qwen3_vl")
    levels.vision_config.depth, levels.vision_config.deepstack_visual_indexes = 6, [1, 4]
    found = left(levels, Stack("visual.blocks", IMAGE, 6, (1, 2, 5))).vision_config
    assert (found.depth, list(found.deepstack_visual_indexes)) == (3, [0, 1])  # layer 4 gives what 2 gave
    for kept in ((4, 5), (0, 5)):
        with pytest.raises(InputError, match=r"deepstack_visual_indexes: .* outputs of layers are read"):
            left(levels, Stack("visual.blocks", IMAGE, 6, kept))


@pytest.mark.parametrize(
    ("name", "value"),
    [("no_such_types", ["a", "b", "c", "d"]), ("dense_layers", [1]), ("first_layer", 2), ("window_pattern", 3)],
)
def test_what_is_not_known_is_refused(name: str, value: Any) -> None:
    config = AutoConfig.for_model("llama", num_hidden_layers=4, **{name: value})
    with pytest.raises(InputError, match=f"{name}: .* looks as if it were about single layers"):
        left(config, Stack("model.layers", (), 4, (0, 1, 2)))
    left(config, Stack("model.layers", (), 4, (0, 1, 2, 3)))
