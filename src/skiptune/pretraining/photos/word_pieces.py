"""The vocabulary of ``meter-photos``: a part of BERT's word pieces, chosen from the words of the captions."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from transformers import BertTokenizer

from ...core.errors import InputError
from ..scenes.vocabulary import SPECIAL


def choose_pieces(pieces: list[str], texts: Iterable[str], size: int) -> list[int]:
    """Ascending ids of the word pieces to keep: special ones, characters, those of ``texts``, then the most common.

    All ASCII characters are kept, alone and as continuations, so any text that the whole vocabulary can split can be
    split by the kept one. BERT's vocabulary lists common words before rare ones; it is filled up to ``size`` with
    those.
    """
    number = {piece: place for place, piece in enumerate(pieces)}
    kept = {number[piece] for piece in SPECIAL}
    kept |= {place for piece, place in number.items() if len(piece.removeprefix("##")) == 1 and piece.isascii()}
    tokenizer = BertTokenizer(vocab=number, do_lower_case=True)
    for text in set(texts):
        kept.update(tokenizer(text, add_special_tokens=False)["input_ids"])
    plain = (place for place, piece in enumerate(pieces) if piece.isascii() and piece.isalpha() and place not in kept)
    for place in plain:
        if len(kept) >= size:
            break
        kept.add(place)
    return sorted(kept)


def make_tokenizer(pieces: list[str], kept: list[int], max_length: int) -> BertTokenizer:
    """An uncased word-piece tokenizer of the kept pieces with new ids; special pieces come first."""
    vocab = {pieces[old]: new for new, old in enumerate(kept)}
    return BertTokenizer(vocab=vocab, do_lower_case=True, model_max_length=max_length)


def words_of(path: Path) -> list[str]:
    """All texts of a JSON-lines file except the names of images.

    Raises:
        InputError: the file cannot be read.
    """
    texts: list[str] = []
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            for name, value in row.items():
                if name != "image":
                    texts += [part for part in (value if isinstance(value, list) else [value]) if isinstance(part, str)]
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: not a JSON-lines file that can be read ({error})") from None
    return texts
