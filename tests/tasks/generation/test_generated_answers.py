"""Answers that a model writes or chooses: alone as in batches, drawn from seeds, cut, stopped; and what is measured of
them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from skiptune import Record, SkipConfig, evaluate, insert
from skiptune.core.errors import InputError
from skiptune.data.turns import Turn
from skiptune.families.chat_processor import ChatProcessor
from skiptune.inserting.selection import choose
from skiptune.tasks.generation.choices import score_options
from skiptune.tasks.generation.decoding import Decoding
from skiptune.tasks.generation.sampling import sampling
from skiptune.tasks.generation.task import Generation
from skiptune.tasks.generation.writing import image_tokens
from tiny_chat import tiny_llava_processor, tiny_tokenizer
from tiny_decoders import IMAGE, VIDEO, text_decoder, vlm, vlm_config

PICTURE = np.random.default_rng(0).integers(0, 255, (40, 30, 3), dtype=np.uint8)
RECORDS = [
    Record(PICTURE, "what color is it ?", {"red": 1.0, "blue": 0.3}, options=("red", "a circle", "blue"), id="1"),
    Record(None, "is it red", {"no": 1.0}, options=("no", "yes yes"), id="2"),
    Record(
        PICTURE,
        turns=(
            Turn("user", (None, "what shape", " is it ?")),
            Turn("assistant", ("a circle",)),
            Turn("user", ("is it red",)),
            Turn("assistant", ("yes",)),
        ),
        options=("Yes", "no"),
        id="3",
    ),
]


def made(**settings: Any) -> Generation:
    whole = tiny_llava_processor()
    return Generation(ChatProcessor("llava", whole.tokenizer, whole), **settings)


@pytest.fixture(scope="module")
def model() -> Any:
    found = insert(vlm("llava"), SkipConfig(block_adapter="lora", lora_rank=2)).eval()
    choose(found, ["0", "2"])
    return found


@pytest.mark.parametrize("how", [{}, {"temperature": 1.0, "top_k": 20, "top_p": 0.9, "seed": 3}])
def test_answers_do_not_depend_on_the_batch(model: Any, how: dict[str, Any]) -> None:
    task = made(max_new_tokens=6).with_decoding(**how)
    together = task.write(model, RECORDS)
    assert together == [task.write(model, [record])[0] for record in RECORDS]
    assert together == task.write(model, RECORDS)
    assert made(max_new_tokens=6, cache="static").with_decoding(**how).write(model, RECORDS) == together


def test_seeds_and_names_draw_different_answers_without_global_generators(model: Any) -> None:
    task, state = made(max_new_tokens=6), torch.get_rng_state()
    drawn = [
        task.with_decoding(temperature=1.0, seed=seed).write(model, [replace(RECORDS[1], id=name)])[0].text
        for seed, name in ((0, "2"), (1, "2"), (0, "3"))
    ]
    assert len(set(drawn)) == 3
    assert torch.equal(torch.get_rng_state(), state)
    greedy = task.write(model, RECORDS)
    assert task.with_decoding(temperature=0.0).write(model, RECORDS) == greedy
    assert task.with_decoding(temperature=2.0, top_k=1).write(model, RECORDS) == greedy


def test_a_changed_task_keeps_how_answers_are_written() -> None:
    task = made(max_new_tokens=6, stop=["."]).with_decoding(temperature=0.5, top_k=3, seed=4, max_new_tokens=9)
    for other in (task.with_processor(task.processor), task.with_settings(measure="anls"), task.reporting(None)):
        assert other.decoding == task.decoding
    shorter = task.with_settings(max_new_tokens=2, stop=())
    assert (shorter.decoding.max_new_tokens, shorter.decoding.stop, shorter.decoding.top_k) == (2, (), 3)


def test_draws_are_those_of_the_softmax() -> None:
    """Over many rows, within four standard errors; words that are left out are never drawn."""
    logits = torch.tensor([0.0, 1.0, -1.0, 2.0, -float("inf")])
    rows = logits.expand(2000, -1)
    for decoding in (Decoding(temperature=0.5), Decoding(temperature=2.0, top_k=3, seed=1)):
        steps = sampling(decoding, [str(row) for row in range(len(rows))])
        drawn = torch.bincount(steps(torch.zeros(len(rows), 1), rows).argmax(1), minlength=5) / len(rows)
        kept = logits if decoding.top_k is None else logits.masked_fill(logits < 0, -float("inf"))
        wanted = (kept / float(decoding.temperature or 1)).softmax(0)
        assert ((drawn - wanted).abs() <= 4 * (wanted * (1 - wanted) / len(rows)).sqrt()).all()


def test_answers_end_where_they_are_told_to(model: Any) -> None:
    whole = made(max_new_tokens=6).write(model, RECORDS)
    assert all(own.cut for own in whole)
    word = whole[0].text.split()[1]
    stopped = made(max_new_tokens=6, stop=(word,)).write(model, RECORDS[:1])[0]
    assert (stopped.text, stopped.cut) == (whole[0].text.partition(word)[0].strip(), False)
    ends = made().processor.tokenizer.convert_tokens_to_ids([word])
    model.generation_config.eos_token_id = ends
    ended = made(max_new_tokens=6).write(model, RECORDS[:1])[0]
    model.generation_config.eos_token_id = None
    assert not ended.cut
    assert ended.text.endswith(word)
    assert made().ends == (2,)


def test_no_token_of_an_image_is_written(model: Any) -> None:
    assert set(image_tokens(model.config)) == {IMAGE}
    assert set(image_tokens(vlm_config("qwen2_5_vl"))) == {IMAGE, VIDEO}
    head = model.lm_head.weight
    before = head.detach().clone()
    with torch.no_grad():
        head[IMAGE] = 100 * head[made(max_new_tokens=1).write(model, RECORDS) and 5]
        written = made(max_new_tokens=6).write(model, RECORDS)
        head.copy_(before)
    assert all("<image>" not in own.text for own in written)


def test_options_are_scored_as_whole_texts(model: Any) -> None:
    task = made()
    scored = score_options(task, model, RECORDS)
    for record, own in zip(RECORDS, scored, strict=True):
        for option in own:
            turns = (*task.turns(record)[:-1], Turn("assistant", (option.option,)))
            batch = task.collate([replace(record, turns=turns, options=())])
            last = batch["shift_labels"][0].tolist()
            earlier = len(made().processor.tokenizer(" a circle </s>")["input_ids"]) if len(turns) > 2 else 0
            batch["shift_labels"][0, :earlier] = -100
            counted = len(last) - earlier
            with torch.no_grad():
                loss = float(model(**batch).loss)
            assert option.total == pytest.approx(-loss * counted, abs=1e-4)
            assert option.by_token == pytest.approx(-loss, abs=1e-4)


def test_options_that_change_the_end_of_the_prompt() -> None:
    """``gre`` and ``en`` are one token where an option follows."""
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = str(tokenizer.chat_template).replace(
        "<assistant>{% endif %}", "<assistant>gre{% endif %}"
    )
    tokenizer.chat_template = tokenizer.chat_template.replace(
        "<s>{% for message in messages %}<{{ message.role }}>",
        "<s>{% for message in messages %}<{{ message.role }}>{% if message.role == 'assistant' %}gre{% endif %}",
    )
    task, model = Generation(ChatProcessor("llama", tokenizer)), text_decoder("llama")
    asked = [Record(None, "is it red ?", options=("en", " yes")), Record(None, "what", options=("en", "en a"))]
    for record, own in zip(asked, score_options(task, model, asked), strict=True):
        for option in own:
            text = f"<s><user>{record.text}<assistant>gre{option.option}</s>"
            ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
            first = ids[0].tolist().index(tokenizer.convert_tokens_to_ids("<assistant>"))
            with torch.no_grad():
                found = model(input_ids=ids).logits[0, first:-1].log_softmax(-1).gather(1, ids[0, first + 1 :, None])
            assert option.total == pytest.approx(float(found.sum()), abs=1e-4)


def test_measures_of_a_model(model: Any) -> None:
    written = evaluate(model, made(max_new_tokens=4), RECORDS, batch_size=2)
    assert list(written.metrics) == ["exact_match", "vqa_accuracy", "anls", "likelihood"]
    assert (written.cut_answers, written.count, written.summary()["cut_answers"]) == (3, 3, 3)
    batch = made().collate(RECORDS)
    with torch.no_grad():
        assert written.loss == pytest.approx(float(model(**batch).loss), rel=1e-6)
    assert written.errors == {"perplexity": pytest.approx(math.exp(written.loss or 0))}
    likely = evaluate(model, made(measure="likelihood"), RECORDS)
    assert likely.headline == pytest.approx(written.metrics["likelihood"])
    assert likely.predictions == ("", "", "")
    assert likely.headline_terms == likely.scores
    chosen = evaluate(model, made(measure="choice_by_token"), [*RECORDS, replace(RECORDS[1], answers={})], batch_size=4)
    best = [max(own, key=lambda scored: scored.by_token).option for own in score_options(made(), model, RECORDS)]
    assert list(chosen.metrics) == ["choice_by_token", "choice", "likelihood"]
    assert (list(chosen.predictions[:3]), chosen.unanswered, chosen.scores[3]) == (best, 1, None)
    assert chosen.headline == sum(map(bool, (best[0] in ("red", "blue"), best[1] == "no", best[2] == "Yes"))) / 3


def test_choices_of_options_that_are_not_there(model: Any) -> None:
    wrong = replace(RECORDS[1], answers={"perhaps": 1.0})
    assert evaluate(model, made(measure="choice"), [RECORDS[0], wrong]).unknown == 1
    with pytest.raises(InputError, match="measure: choice needs options to choose from; 1 of 2 records have none"):
        evaluate(model, made(measure="choice"), [RECORDS[0], replace(wrong, options=())])
    for fields in ({"top_p": 0.5}, {"temperature": 0, "top_k": 3}):
        with pytest.raises(InputError, match="only tokens that are drawn have it"):
            made().with_decoding(**fields)


def test_what_is_measured_if_nothing_is_said(tmp_path: Path) -> None:
    processor = ChatProcessor("llama", tiny_tokenizer())
    captions = [Record(PICTURE, captions=("a circle",))]
    assert Generation.from_checked(processor, captions).metric == "likelihood"
    assert Generation.from_checked(processor, captions, measure="anls").metric == "anls"
    task = Generation.from_checked(processor, RECORDS)
    assert task.metric == "exact_match"
    train = [RECORDS[1], RECORDS[1], Record(None, "what color is it", {"red": 1.0})]
    assert task.priors(train, RECORDS) == {"most_frequent": (0.0, 1.0, 0.0), "text_alone": (1.0, 1.0, 0.0)}
    assert task.priors(train[1:], RECORDS) == {}
