"""Conversations about scenes: answers are right, tokens are the chat template's, and a stopped training goes on."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AttentionInterface, AutoModelForImageTextToText, AutoProcessor, AutoTokenizer

from skiptune import InputError
from skiptune.core.ignored_label import IGNORED
from skiptune.models.embedded import embedded_path
from skiptune.pretraining.chats.chat_config import ChatConfig
from skiptune.pretraining.chats.chat_processor import make_processor, make_tokenizer
from skiptune.pretraining.chats.chat_scores import heldout_batches
from skiptune.pretraining.chats.chat_training import answer_loss, attend
from skiptune.pretraining.chats.conversations import Conversations, Encoder, Scenes, collate
from skiptune.pretraining.chats.llava_weights import copy_tower, make_model
from skiptune.pretraining.chats.pretrain_chats import pretrain_chats
from skiptune.pretraining.chats.questions import KINDS, Question, ask
from skiptune.pretraining.scenes.scene import COLORS, SHAPES, Scene, Style, Thing, draw, make_scene

TINY = ChatConfig(layers=2, tower_blocks=1, mlp_width=32, minutes=0.012, batch_size=2, asked=4, row=80, scenes=8,
                  heldout=3, save_minutes=0.006)  # fmt: skip


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(make_tokenizer(TINY.length), TINY.image_tokens)


# Answers, by a reading of the questions that shares nothing with what asked them --------------------------------------


def named(scene: Scene, text: str) -> list[Thing]:
    """The shapes that a noun such as ``red circle``, ``circles`` or ``blue shape`` fits."""
    colors = [color for color in COLORS if re.search(rf"\b{color}\b", text)]
    shapes = [shape for shape in SHAPES if re.search(rf"\b{shape}(e?s)?\b", text)]
    return [t for t in scene.things if t.color in (colors or [t.color]) and t.shape in (shapes or [t.shape])]


def expected(scene: Scene, question: Question) -> str | None:
    text = question.text
    found = named(scene, text)
    if question.kind in ("color", "shape", "place", "size"):
        (thing,) = found
        value = {"color": thing.color, "shape": thing.shape, "place": thing.position, "size": thing.size}
        return value[question.kind]
    if question.kind == "count":
        return ("zero", "one", "two", "three", "four")[len(found)]
    if question.kind == "presence":
        return "yes" if found else "no"
    if question.kind == "absence":
        return "no" if found else "yes"
    if question.kind == "background":
        asked = re.fullmatch(r"is the background (light|dark|shaded)\?", text)
        return scene.background if asked is None else "yes" if asked[1] == scene.background else "no"
    if question.kind == "relation":
        words = r"(left of|right of|above|below)"
        one, relation, _, other, second = re.fullmatch(rf"is the (.*?) {words}( or {words})? the (.*)\?", text).groups()  # type: ignore[union-attr]
        (a,), (b,) = named(scene, one), named(scene, second)
        holding = {"left of": a.x < b.x, "right of": a.x > b.x, "above": a.y < b.y, "below": a.y > b.y}
        return (relation if holding[relation] else other) if other else "yes" if holding[relation] else "no"
    return None


def test_answers_are_what_the_scene_shows() -> None:
    told: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for number in range(250):
        scene = make_scene(3, number)
        for question in ask(scene, random.Random(number), 7):
            told[question.kind].add(question.answer)
            assert expected(scene, question) in (None, question.answer), (scene, question)
            assert question.text == question.text.lower()
            if question.kind == "caption":
                nouns = re.split(r" and |, ", question.answer.replace("an ", "a "))
                assert len(nouns) == len(scene.things)
                assert all(named(scene, noun) for noun in nouns)
    assert told["presence"] == told["absence"] == told["statement"] == {"yes", "no"}
    assert {len(answers) for answers in (told["color"], told["shape"])} == {len(COLORS), len(SHAPES)}
    assert len(told["place"]) == 9
    assert told["relation"] == {"yes", "no", "left of", "right of", "above", "below"}


# Tokens ---------------------------------------------------------------------------------------------------------------


def messages(questions: tuple[Question, ...]) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for number, question in enumerate(questions):
        text = {"type": "text", "text": question.text}
        found.append({"role": "user", "content": [text] if number else [{"type": "image"}, text]})
        found.append({"role": "assistant", "content": [{"type": "text", "text": question.answer}]})
    return found


def test_tokens_are_those_of_the_chat_template(encoder: Encoder) -> None:
    processor = make_processor(encoder.tokenizer, TINY.image_size, TINY.patch_size)
    for number in range(30):
        scene = make_scene(4, number)
        questions = ask(scene, random.Random(number), 3)
        ids, labels, positions, _ = encoder.turns(questions, apart=False, room=500)
        text = processor.apply_chat_template(messages(questions))
        inputs = processor(text=text, images=draw(scene), return_tensors="pt")
        assert ids == inputs["input_ids"][0].tolist()
        assert positions == list(range(len(ids)))
        marked = processor.tokenizer.apply_chat_template(
            messages(questions), return_dict=True, return_assistant_tokens_mask=True
        )
        answers = [i for i, own in zip(marked["input_ids"], marked["assistant_masks"], strict=True) if own]
        assert [label for label in labels if label != IGNORED] == answers
        assert all(ids[k + 1] == label for k, label in enumerate(labels) if label != IGNORED)
        picture = Scenes(4, Style(), 40, TINY.image_size)[number][1]
        batch = collate(encoder, [questions], [picture], apart=False, room=500)
        torch.testing.assert_close(batch.inputs["pixel_values"], inputs["pixel_values"], atol=1e-5, rtol=0)
    assert encoder.tokenizer.decode(encoder.encode("the color is red, yes!")) == "the color is red, yes!"
    assert set(encoder.encode("is the background light, dark or shaded?")).isdisjoint({encoder.tokenizer.unk_token_id})


@torch.inference_mode()
def test_questions_apart_are_conversations_of_one_turn(encoder: Encoder) -> None:
    model = make_model(TINY, encoder.tokenizer).eval()
    scene, picture = Scenes(0, Style(), 1, TINY.image_size)[0]
    questions = ask(scene, random.Random(0), 4)
    together = collate(encoder, [questions], [picture], apart=True, room=500)
    logits = model(**together.inputs).logits[together.labels != IGNORED]
    single = [collate(encoder, [(question,)], [picture], apart=False, room=500) for question in questions]
    alone = torch.cat([model(**batch.inputs).logits[batch.labels != IGNORED] for batch in single])
    torch.testing.assert_close(logits, alone, atol=1e-5, rtol=1e-4)
    AttentionInterface.register("float32_sdpa", attend)
    for batch in (together, single[0]):
        model.set_attn_implementation("sdpa")
        found = torch.nn.functional.cross_entropy(model(**batch.inputs).logits.transpose(1, 2), batch.labels)
        model.set_attn_implementation("float32_sdpa")
        torch.testing.assert_close(answer_loss(model, batch), found, atol=0.02, rtol=0.01)  # in bfloat16


def test_rows_keep_to_their_room_and_batches_are_the_same_again(encoder: Encoder) -> None:
    first, second = (Conversations(TINY, encoder) for _ in range(2))
    for step in (5, 0):
        one, two = first.batch(step, 0.9), second.batch(step, 0.9)
        assert one.labels.shape[1] <= TINY.row
        assert torch.equal(one.labels, two.labels)
        assert torch.equal(one.inputs["pixel_values"], two.inputs["pixel_values"])


# The model ------------------------------------------------------------------------------------------------------------


def test_the_tower_starts_with_vilts_embeddings_and_blocks(encoder: Encoder) -> None:
    pixels = heldout_batches(TINY, encoder)["caption"][0].inputs["pixel_values"]
    model = make_model(TINY, encoder.tokenizer)
    copy_tower(model, embedded_path("vilt-scenes"), pixels)
    vilt = {
        name: value.float() for name, value in load_file(embedded_path("vilt-scenes") / "model.safetensors").items()
    }
    tower, prefix = model.model.vision_tower, "vilt.embeddings.patch_embeddings.projection"
    weight, bias = vilt[f"{prefix}.weight"], vilt[f"{prefix}.bias"]
    patches = torch.nn.functional.conv2d(pixels, weight, bias, stride=TINY.patch_size).flatten(2).transpose(1, 2)
    places = (
        vilt["vilt.embeddings.position_embeddings"][:, 1:] + vilt["vilt.embeddings.token_type_embeddings.weight"][1]
    )
    with torch.no_grad():
        torch.testing.assert_close(tower.embeddings(pixels)[:, 1:], patches + places, atol=1e-4, rtol=1e-4)
    query = "vilt.encoder.layer.0.attention.attention.query.weight"
    assert torch.equal(tower.encoder.layers[0].self_attn.q_proj.weight, vilt[query])


def test_a_stopped_training_goes_on_and_plain_transformers_loads_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, steps = Conversations.batch, [0]

    def stopping(self: Conversations, step: int, done: float) -> object:
        steps.append(step)
        if (tmp_path / "checkpoint").is_dir():
            raise KeyboardInterrupt
        return batch(self, step, done)

    monkeypatch.setattr(Conversations, "batch", stopping)
    with pytest.raises(KeyboardInterrupt):
        pretrain_chats(TINY, tmp_path)
    monkeypatch.setattr(Conversations, "batch", batch)
    report = pretrain_chats(TINY, tmp_path)
    assert report["steps"] > steps[-1] > 0
    assert set(report["exact_match"]) == set(KINDS)
    assert report["history"][0]["step"] == steps[-1]
    assert pretrain_chats(TINY, tmp_path) == report
    with pytest.raises(InputError, match=r"final: finished with other settings \(seed 0, now 5\); name another output"):
        pretrain_chats(replace(TINY, seed=5), tmp_path)
    final = tmp_path / "final"
    model = AutoModelForImageTextToText.from_pretrained(final, dtype=torch.float32)
    processor, tokenizer = AutoProcessor.from_pretrained(final), AutoTokenizer.from_pretrained(final)
    question = [{"type": "image"}, {"type": "text", "text": "what is this?"}]
    text = processor.apply_chat_template([{"role": "user", "content": question}], add_generation_prompt=True)
    image = np.zeros((40, 64, 3), np.uint8)
    inputs = processor(text=[text, text], images=[image, image], return_tensors="pt", padding=True)
    with torch.no_grad():
        found = model.generate(**inputs, max_new_tokens=3, do_sample=False)
    assert inputs["input_ids"].shape[1] < found.shape[1] <= inputs["input_ids"].shape[1] + 3
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id == 3
    assert tokenizer("red").input_ids == tokenizer.encode("red", add_special_tokens=False)
