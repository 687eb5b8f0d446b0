"""A model that writes is asked: about pictures, without one, in conversations; and answers piece by piece."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import skiptune as st
from skiptune.data.turns import Turn
from skiptune.families.chat_processor import ChatProcessor
from skiptune.predicting.stream import _shown
from skiptune.tasks.generation.task import Generation
from tiny_chat import tiny_llava_processor
from tiny_decoders import vlm

PICTURE = np.random.default_rng(0).integers(0, 255, (40, 30, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def pipe() -> st.Pipeline:
    whole = tiny_llava_processor()
    return st.pipeline(vlm("llava"), Generation(ChatProcessor("llava", whole.tokenizer, whole), max_new_tokens=8))


def test_pieces_are_the_answer(pipe: st.Pipeline) -> None:
    answer = pipe(PICTURE, "what color is it ?")
    assert answer.best.cut
    stream = pipe.stream(PICTURE, "what color is it ?")
    pieces = list(stream)
    assert "".join(pieces) == answer.answer
    assert len(pieces) > 2
    assert stream.cut
    stop = str(answer.answer).split()[3]
    stopped = pipe.with_decoding(stop=(stop,))
    stream = stopped.stream(PICTURE, "what color is it ?")
    assert (
        "".join(stream)
        == stopped(PICTURE, "what color is it ?").answer
        == str(answer.answer).partition(stop)[0].strip()
    )
    assert not stream.cut
    ended = pipe.stream(PICTURE, "what color is it ?")
    assert next(ended)
    ended.close()
    assert list(ended) == []


@pytest.mark.parametrize(
    ("pieces", "stops", "whole"),
    [
        ([" a", "b ", " c "], (), "ab  c"),
        (["a", "", "\n", "\n"], (), "a"),
        (["a E", "N", "D b"], ("END",), "a"),
        (["a E", "N", "d b"], ("END", "x"), "a ENd b"),
        (["END"], ("END",), ""),
        ([], ("END",), ""),
    ],
)
def test_pieces_end_where_the_answer_does(pieces: list[str], stops: tuple[str, ...], whole: str) -> None:
    assert "".join(_shown(pieces, stops)) == whole


def test_any_number_of_pictures_and_conversations(pipe: st.Pipeline) -> None:
    asked = st.Record(PICTURE, "what is it ?", further=(PICTURE[:20],))
    wanted = pipe(asked).answer
    assert pipe([[PICTURE, PICTURE[:20]]], "what is it ?")[0].answer == wanted  # type: ignore[list-item]
    assert pipe(PICTURE, "what is it ?", image2=PICTURE[:20]).answer == wanted
    turns = (Turn("user", (None, None, "what is it ?")),)
    assert pipe(st.Record(PICTURE, turns=turns, further=(PICTURE[:20],))).answer == wanted
    described = pipe(PICTURE).answer
    assert described == pipe(PICTURE, "Describe the picture.").answer != wanted
    alone = pipe(text="is it red ?")
    assert alone.answer == pipe(st.Record(None, "is it red ?")).answer
    options = pipe(st.Record(None, "is it red ?", options=("yes", "no", "it is")), top=2)
    assert len(options) == 2
    assert options.best.probability is not None
    assert alone.best.probability is None


def test_draws_depend_on_the_place_of_a_question(pipe: st.Pipeline) -> None:
    drawing = pipe.with_decoding(temperature=1.0, seed=1)
    drawing.batch_size = 2
    several = [found.answer for found in drawing([PICTURE] * 3, "what is it ?")]
    assert len(set(several)) == 3
    assert drawing(PICTURE, "what is it ?").answer == several[0]
    assert "".join(drawing.stream(PICTURE, "what is it ?")) == several[0]


def test_nonsense_is_refused(pipe: st.Pipeline, make_model: Any, task: st.Vqa, tmp_path: Path) -> None:
    with pytest.raises(st.InputError, match="task 'vqa': writes no text"):
        st.pipeline(make_model(), task).stream(PICTURE, "what?")
    with pytest.raises(st.InputError, match="task 'vqa': writes no text"):
        st.pipeline(make_model(), task).with_decoding(temperature=1.0)
    with pytest.raises(st.InputError, match="one question at a time"):
        pipe.stream([PICTURE], "what?")  # type: ignore[arg-type]
    with pytest.raises(st.InputError, match=r"nowhere\.png: no such file"):
        list(pipe.stream(tmp_path / "nowhere.png", "what?"))
    with pytest.raises(st.InputError, match="text: there is none, and no picture"):
        pipe.stream()
    with pytest.raises(st.InputError, match="a record has its own"):
        pipe(st.Record(PICTURE, "what"), "what")  # type: ignore[call-overload]
    with pytest.raises(st.InputError, match="0 places for images"):
        pipe(st.Record(PICTURE, turns=(Turn("user", ("what",)),)))
