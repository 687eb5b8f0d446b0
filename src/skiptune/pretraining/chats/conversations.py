"""Conversations about generated scenes as token ids: the n-th of a seed is always the same."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from ...core.ignored_label import IGNORED
from ..scenes.scene import Scene, Style, draw, make_scene
from .chat_config import ChatConfig
from .chat_processor import ASSISTANT, IMAGE, USER
from .questions import Question, ask

_WORDS = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class Lesson:
    """A part of the training, from easy to hard: until which fraction of the time, and on which scenes."""

    until: float
    style: Style


#: From large black shapes on a light background to all scenes, as in ``vilt-scenes``; the tower knows shapes already.
LESSONS = (
    Lesson(0.03, Style(1, ("black",), ("light",), smallest_radius=11.5)),
    Lesson(0.07, Style(1, ("black",), ("light",))),
    Lesson(0.15, Style(1, backgrounds=("light",))),
    Lesson(0.28, Style(1)),
    Lesson(1.00, Style()),
)


@dataclass(frozen=True)
class Batch:
    """Padded on the right.

    Attributes:
        inputs: of ``LlavaModel.forward``: ``input_ids`` and ``position_ids`` ``(batch, length)``, ``pixel_values``
            ``(batch, 3, side, side)``, and ``attention_mask`` ``(batch, 1, length, length)`` or none: causal.
        labels: ``(batch, length)``: the next token where it belongs to an answer, :data:`IGNORED` elsewhere.
    """

    inputs: dict[str, Tensor]
    labels: Tensor


class Encoder:
    """Texts to token ids, as the tokenizer does, but each word is looked up once."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, image_tokens: int) -> None:
        self.tokenizer = tokenizer
        self._known: dict[str, list[int]] = {}
        ids = tokenizer.convert_tokens_to_ids
        self.user, self.assistant, self.end = ids(USER), ids(ASSISTANT), int(tokenizer.eos_token_id or 0)
        self.start = [int(tokenizer.bos_token_id or 0), self.user, *[ids(IMAGE)] * image_tokens]

    def encode(self, text: str) -> list[int]:
        found: list[int] = []
        for word in _WORDS.findall(text):
            if word not in self._known:
                self._known[word] = self.tokenizer.encode(word, add_special_tokens=False)
            found += self._known[word]
        return found

    def turns(self, questions: Iterable[Question], apart: bool, room: int) -> tuple[list[int], ...]:
        """Token ids, labels, positions and turn numbers (0: the start) of questions on one scene.

        Questions ``apart`` each follow the image directly: they have the positions of a conversation of one turn.
        Those that do not fit into ``room`` tokens are left out.
        """
        ids, labels = list(self.start), [IGNORED] * len(self.start)
        positions, numbers = list(range(len(ids))), [0] * len(ids)
        for number, question in enumerate(questions, 1):
            prompt = [*self.encode(question.text), self.assistant]
            if len(ids) > len(self.start) and not apart:
                prompt = [self.user, *prompt]
            answer = [*self.encode(question.answer), self.end]
            begin = len(self.start) if apart else len(ids)
            new = len(prompt) + len(answer)
            if len(ids) + new > room:
                continue
            ids += prompt + answer
            labels += [IGNORED] * (len(prompt) - 1) + answer + [IGNORED]
            positions += range(begin, begin + new)
            numbers += [number] * new
        return ids, labels, positions, numbers


class Scenes:
    """Scenes of one style and their pictures ``(3, side, side)``, drawn once and kept in memory."""

    def __init__(self, seed: int, style: Style, count: int, side: int) -> None:
        self.seed, self.style, self.count, self.side = seed, style, count, side
        self._kept: dict[int, tuple[Scene, np.ndarray]] = {}

    def __getitem__(self, number: int) -> tuple[Scene, np.ndarray]:
        number %= self.count
        if number not in self._kept:
            scene = make_scene(self.seed, number, self.style)
            picture = draw(scene).resize((self.side, self.side), resample=Image.Resampling.BICUBIC)
            self._kept[number] = scene, np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1))
        return self._kept[number]


class Conversations:
    """Batches of training data by step."""

    def __init__(self, config: ChatConfig, encoder: Encoder) -> None:
        self.config, self.encoder = config, encoder
        self._lesson = -1
        self._scenes = Scenes(0, Style(), 1, config.image_size)

    def batch(self, step: int, done: float) -> Batch:
        """The batch of ``step``, after a fraction ``done`` of the time."""
        config = self.config
        number = next((k for k, lesson in enumerate(LESSONS) if done < lesson.until), len(LESSONS) - 1)
        if number != self._lesson:
            self._lesson = number
            seed = config.seed + number
            self._scenes = Scenes(seed, LESSONS[number].style, config.scenes, config.image_size)
        rng = random.Random(f"{config.seed} {step}")
        apart = rng.random() < config.apart
        first = step * config.batch_size
        found = [self._scenes[first + k] for k in range(config.batch_size)]
        asked = [ask(scene, rng, config.asked) for scene, _ in found]
        return collate(self.encoder, asked, [picture for _, picture in found], apart, config.row)


def collate(
    encoder: Encoder, asked: Sequence[Iterable[Question]], pictures: Sequence[np.ndarray], apart: bool, room: int
) -> Batch:
    """One row of at most ``room`` tokens for the questions on each picture."""
    rows = [encoder.turns(questions, apart, room) for questions in asked]
    longest = max(len(ids) for ids, *_ in rows)
    padding = (encoder.tokenizer.pad_token_id, IGNORED, 0, -1)
    padded = [
        torch.tensor([[*row[k], *[padding[k]] * (longest - len(row[k]))] for row in rows]) for k in range(len(padding))
    ]
    ids, labels, positions, numbers = padded
    pixels = torch.from_numpy(np.stack(pictures)).float() / 127.5 - 1
    inputs = {"input_ids": ids, "position_ids": positions, "pixel_values": pixels}
    if apart:
        seen = (numbers[:, None, :] == numbers[:, :, None]) | (numbers[:, None, :] == 0)
        inputs["attention_mask"] = (seen & torch.ones(longest, longest, dtype=torch.bool).tril())[:, None]
    return Batch(inputs, labels)
