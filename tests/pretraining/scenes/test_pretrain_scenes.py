"""Generated scenes and captions: the same every time, and true or false as they claim; a stopped training goes on."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import ViltForQuestionAnswering

from skiptune import InputError, blocks_of, insert, load_model, load_processor
from skiptune.core.ignored_label import IGNORED
from skiptune.pretraining.scenes.captions import COUNTS, POSITIONS, make_caption
from skiptune.pretraining.scenes.pairs import MATCHING, NAMING, PairCollator, ScenePairs
from skiptune.pretraining.scenes.pretrain_scenes import STAGES, PretrainConfig, pretrain
from skiptune.pretraining.scenes.scene import BACKGROUNDS, COLORS, SHAPES, SIZES, Scene, Thing, draw, make_scene
from skiptune.pretraining.scenes.vilt_for_pretraining import ViltForPretraining
from skiptune.pretraining.scenes.vocabulary import make_tokenizer

TINY = PretrainConfig(
    width=16, blocks=2, heads=2, mlp_width=32, image_size=24, patch_size=12, share=0.0002, scenes=16, heldout_pairs=16,
    batch_size=8, warmup_steps=2, save_steps=2,
)  # fmt: skip


# An evaluation of captions that shares nothing with the one that made them --------------------------------------------

NOUN = (
    rf"(?:(?P<size{{0}}>{'|'.join(SIZES)}) )?(?:(?P<color{{0}}>{'|'.join(COLORS)}) )?"
    rf"(?P<shape{{0}}>{'|'.join(SHAPES)}|shape)"
)
PLACE = f"at the (?P<place>{'|'.join(sorted(POSITIONS, key=len, reverse=True))})"
ONE, TWO = NOUN.format(1), NOUN.format(2)
THERE = [
    rf"(?:there is |the picture shows )?a {ONE}(?: {PLACE})?",
    rf"{PLACE} a {ONE}",
    rf"the image (?:does contain|contains) a {ONE}",
    rf"a {ONE} is (?:in the image|present)",
]
ABSENT = [
    rf"there is (?:no|not a) {ONE}",
    rf"no {ONE} is (?:in the image|present)",
    rf"the image does not contain a {ONE}",
    rf"a {ONE} is absent",
]
COLORED = rf"(?:the color of )?the {ONE} is (?P<value>{'|'.join(COLORS)})"
SHAPED = rf"the {ONE}(?: in the image)? is a (?P<value>{'|'.join(SHAPES)})"
COUNTED = rf"there (?:is|are) exactly (?P<count>{'|'.join(COUNTS)}) (?P<kind>{'|'.join(SHAPES)}|shape)(?:s|es)?"
RELATED = rf"the {ONE} is (?P<relation>left of|right of|above|below) the {TWO}"
GROUND = rf"the background is (?P<ground>{'|'.join(BACKGROUNDS)})"


def size_of(thing: Thing) -> str:
    radius = (thing.half_width + thing.half_height) / 2
    return "small" if radius < 8 else "medium" if radius < 11.5 else "large"


def place_of(thing: Thing) -> str:
    column = "left" if thing.x < 64 / 3 else "right" if thing.x >= 128 / 3 else ""
    row = "top" if thing.y < 64 / 3 else "bottom" if thing.y >= 128 / 3 else ""
    return f"{row} {column}".strip() or "center"


def fitting(scene: Scene, found: dict[str, Any], number: int) -> list[Thing]:
    size, color, shape = (found.get(f"{name}{number}") for name in ("size", "color", "shape"))
    return [
        thing
        for thing in scene.things
        if (not size or size_of(thing) == size)
        and (not color or thing.color == color)
        and (shape in (None, "shape") or thing.shape == shape)
        and (not found.get("place") or place_of(thing) == found["place"])
    ]


def holds(scene: Scene, statement: str) -> bool:
    for pattern in (*THERE, *ABSENT, COLORED, SHAPED, COUNTED, RELATED, GROUND):
        match = re.fullmatch(pattern, statement)
        if match is None:
            continue
        found = match.groupdict()
        things = fitting(scene, found, 1)
        if pattern in ABSENT:
            return not things
        if pattern == COLORED:
            return any(thing.color == found["value"] for thing in things)
        if pattern == SHAPED:
            return any(thing.shape == found["value"] for thing in things)
        if pattern == COUNTED:
            count = sum(found["kind"] in ("shape", thing.shape) for thing in scene.things)
            return COUNTS.index(found["count"]) + 1 == count
        if pattern == RELATED:
            apart = {"left of": lambda a, b: b.x - a.x, "right of": lambda a, b: a.x - b.x,
                     "above": lambda a, b: b.y - a.y, "below": lambda a, b: a.y - b.y}[found["relation"]]  # fmt: skip
            return any(apart(a, b) > 6 for a in things for b in fitting(scene, found, 2) if a is not b)
        return scene.background == found["ground"] if pattern == GROUND else bool(things)
    raise AssertionError(f"not understood: {statement}")


@pytest.mark.parametrize("true", [True, False])
def test_captions_are_true_or_false_in_exactly_one_statement(true: bool) -> None:
    for index in range(700):
        scene = make_scene(5, index)
        text = make_caption(scene, np.random.default_rng((1, index)), true).text
        verdicts = [holds(scene, part) for part in text.replace("an orange", "a orange").split(" . ")]
        assert len(verdicts) in (1, 2)
        assert verdicts.count(False) == (0 if true else 1), text


def test_every_kind_of_statement_is_made() -> None:
    texts = " . ".join(
        make_caption(make_scene(5, index), np.random.default_rng(index), index % 2 == 0).text for index in range(400)
    ).replace("an orange", "a orange")
    for pattern in (*THERE, *ABSENT, COLORED, SHAPED, COUNTED, RELATED, GROUND):
        assert any(re.fullmatch(pattern, part) for part in texts.split(" . ")), pattern


# Scenes and pairs -----------------------------------------------------------------------------------------------------


def test_a_scene_is_the_same_at_every_call_and_another_for_another_seed() -> None:
    for index in range(20):
        assert make_scene(3, index) == make_scene(3, index)
        assert make_scene(3, index) != make_scene(4, index)
        assert draw(make_scene(3, index)).tobytes() == draw(make_scene(3, index)).tobytes()


def test_shapes_are_inside_the_picture_apart_and_seen() -> None:
    for index in range(200):
        scene = make_scene(9, index)
        assert 1 <= len(scene.things) <= 4
        pixels = np.asarray(draw(scene)).astype(int)
        for thing in scene.things:
            assert thing.half_width <= thing.x <= 64 - thing.half_width
            assert thing.half_height <= thing.y <= 64 - thing.half_height
            assert abs(pixels[int(thing.y), int(thing.x)] - thing.rgb).max() <= 2
        for a in scene.things:
            for b in scene.things:
                beside = abs(a.x - b.x) > a.half_width + b.half_width
                assert a is b or beside or abs(a.y - b.y) > a.half_height + b.half_height


@pytest.mark.parametrize("lessons", [NAMING, MATCHING], ids=["naming", "matching"])
def test_pairs_do_not_depend_on_the_order_of_reading(lessons: Any) -> None:
    first, second = (ScenePairs(60, 16, seed=2, side=24, lessons=lessons) for _ in range(2))
    backwards = {index: second[index] for index in reversed(range(60))}
    for index in range(60):
        one, two = first[index], backwards[index]
        assert np.array_equal(one.pixels, two.pixels)
        assert (one.caption, one.masked, one.matches) == (two.caption, two.masked, two.matches)


def test_a_hidden_word_is_hidden_everywhere_and_matching_pairs_whole() -> None:
    pairs = [ScenePairs(400, 64, seed=0, side=24)[index] for index in range(400)]
    masked = [pair for pair in pairs if pair.matches is None]
    assert 200 < len(masked) < 350
    for pair in masked:
        hidden = {word for word, hide in zip(pair.caption.words, pair.masked, strict=True) if hide}
        shown = {word for word, hide in zip(pair.caption.words, pair.masked, strict=True) if not hide}
        assert hidden
        assert not hidden & shown
    assert not any(any(pair.masked) for pair in pairs if pair.matches is not None)
    assert {pair.matches for pair in pairs} == {None, True, False}


def test_labels_are_the_hidden_tokens_and_nothing_else() -> None:
    tokenizer = make_tokenizer(40)
    pairs = [ScenePairs(32, 16, seed=1, side=24)[index] for index in range(32)]
    batch = PairCollator(tokenizer)(pairs)
    for row, pair in enumerate(pairs):
        labels, ids = batch["mlm_labels"][row], batch["input_ids"][row]
        hidden = [word for word, hide in zip(pair.caption.words, pair.masked, strict=True) if hide]
        assert tokenizer.convert_ids_to_tokens(labels[labels != IGNORED].tolist()) == hidden
        assert torch.equal(labels != IGNORED, ids == tokenizer.mask_token_id)
        assert batch["itm_labels"][row] == (IGNORED if pair.matches is None else int(pair.matches))
    assert -1 <= float(batch["pixel_values"].min()) <= float(batch["pixel_values"].max()) <= 1


# Training -------------------------------------------------------------------------------------------------------------


def train(output: Path) -> dict[str, Any]:
    return pretrain(TINY, output)


def test_stopped_and_resumed_equals_uninterrupted_and_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = train(tmp_path / "whole")
    assert 0 <= report["itm_accuracy"] <= 1
    stop_after, forward, calls = 5, ViltForPretraining.forward, [0]

    def stopping(self: ViltForPretraining, *args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        if calls[0] == stop_after:
            raise KeyboardInterrupt
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(ViltForPretraining, "forward", stopping)
    for _ in range(2):  # the second time in the stage after, or behind the checkpoint the first has left
        calls[0] = 0
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "stopped")
        with pytest.raises(InputError, match=r"with other settings \(warmup_steps 2, now 3\); name another output"):
            pretrain(replace(TINY, warmup_steps=3), tmp_path / "stopped")
    assert list((tmp_path / "stopped").glob("*/checkpoint-*"))
    monkeypatch.setattr(ViltForPretraining, "forward", forward)
    train(tmp_path / "stopped")
    finals = [tmp_path / name / STAGES[-1].name / "final" for name in ("whole", "stopped")]
    whole, resumed = (load_file(folder / "model.safetensors") for folder in finals)
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    model = load_model(str(finals[1]), ViltForQuestionAnswering, num_labels=3)
    assert len(blocks_of(insert(model))) == TINY.blocks
    assert load_processor(str(finals[1])).tokenizer("what color is it?")["input_ids"]
