"""Texts for SmolLM2: Flickr8k's captions as plain text, and DAQUAR's questions with answers, without their pictures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from skiptune.core.ignored_label import IGNORED

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
_SYSTEM = "Answer with one word or a list of words."
#: Questions in a conversation: they are about one room, and the beginning is paid once.
_TURNS = 4

Row = dict[str, list[int]]


@dataclass(frozen=True)
class Texts:
    """Texts that are trained on, those that searches look at, and those that only the landscape is measured on.

    The three parts have no picture in common.
    """

    train: list[Row]
    rewards: list[Row]
    judge: list[Row]


def texts(name: str, tokenizer: Any) -> Texts:
    """``captions`` or ``daquar``. The judge's are the shared dev part, the searches' the last pictures of train."""
    make, keep = {"captions": (captions, 500), "daquar": (conversations, 100)}[name]
    pictures = list(by_picture(name, "train"))
    return Texts(
        train=list(make(pictures[:-keep], tokenizer)),
        rewards=list(make(pictures[-keep:], tokenizer)),
        judge=list(make(by_picture(name, "dev"), tokenizer)),
    )


def by_picture(name: str, part: str) -> Iterator[list[dict[str, Any]]]:
    """The records of one picture after the other."""
    folder = {"captions": "flickr8k", "daquar": "daquar"}[name]
    found: dict[str, list[dict[str, Any]]] = {}
    for line in (SHARED / folder / f"{part}.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        found.setdefault(record["image"], []).append(record)
    yield from found.values()


def captions(pictures: Iterable[list[dict[str, Any]]], tokenizer: Any) -> Iterator[Row]:
    """The captions of a picture as one text, every token of it to be predicted."""
    for records in pictures:
        text = "\n".join(caption.strip() for caption in records[0]["captions"])
        ids = [*tokenizer(text)["input_ids"], tokenizer.eos_token_id]
        yield {"input_ids": ids, "labels": list(ids)}


def conversations(pictures: Iterable[list[dict[str, Any]]], tokenizer: Any) -> Iterator[Row]:
    """Questions about a picture with their answers, in turns; answers and their ends are to be predicted."""
    for records in pictures:
        for start in range(0, len(records), _TURNS):
            yield conversation(records[start : start + _TURNS], tokenizer)


def conversation(records: Sequence[dict[str, Any]], tokenizer: Any) -> Row:
    """One of them."""
    messages, ids, labels = [{"role": "system", "content": _SYSTEM}], list[int](), list[int]()
    for record in records:
        messages.append({"role": "user", "content": record["question"]})
        asked = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
        messages.append({"role": "assistant", "content": record["answer"].replace("_", " ")})
        said = tokenizer.apply_chat_template(messages, return_dict=False)
        end = len(said) - said[::-1].index(tokenizer.eos_token_id)
        labels += [IGNORED] * (len(asked) - len(ids)) + said[len(asked) : end]
        labels += [IGNORED] * (len(said) - end)
        ids = said
    return {"input_ids": ids, "labels": labels}


def collate(rows: Sequence[Row]) -> dict[str, Tensor]:
    """Padded on the right."""
    longest = max(len(row["input_ids"]) for row in rows)

    def padded(name: str, value: int) -> Tensor:
        return torch.tensor([[*row[name], *[value] * (longest - len(row[name]))] for row in rows])

    lengths = torch.tensor([len(row["input_ids"]) for row in rows])
    mask = (torch.arange(longest)[None] < lengths[:, None]).long()
    return {"input_ids": padded("input_ids", 0), "attention_mask": mask, "labels": padded("labels", IGNORED)}
