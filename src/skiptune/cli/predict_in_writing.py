"""``skiptune predict`` with a model that writes: questions about several pictures or none, conversations, options."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..core.errors import InputError
from ..core.progress import console
from .predicted_answers import answer_rows, print_answers

if TYPE_CHECKING:
    from ..data.record import Record
    from ..predicting.results import Prediction
    from ..tasks.generation.task import Generation
    from .predict_command import PredictOptions


def answer_in_writing(model: Any, task: Generation, options: PredictOptions, pictures: Sequence[Path] | None) -> None:
    """Ask and print; one answer for a terminal appears as it is written.

    Args:
        model: of the task.
        task: generation.
        options: of the command.
        pictures: of a folder; ``None``: one, or none.

    Raises:
        InputError: there is nothing to ask, or an option has a wrong value.
    """
    from ..predicting.predict import predict

    task = task.with_decoding(**options.decoding)
    for option, times in Counter(options.option or ()).items():
        if times > 1:
            raise InputError(f"--option: {option!r} is there twice; give each answer once")
    several = [options.image] if pictures is None else list(pictures)
    records = [_conversation(options, task)] if options.conversation else _records(options, several)
    if len(records) == 1 and not (options.as_json or options.option) and sys.stdout.isatty():
        _stream(model, task, records[0])
        return
    found = predict(model, task, records, top=options.top or len(options.option or ()) or 1)
    single = len(records) == 1 and pictures is None
    if single and found[0].error is not None:
        raise InputError(found[0].error)
    if options.as_json:
        asked = [(_picture(record), record.question, each) for record, each in zip(records, found, strict=True)]
        typer.echo(json.dumps(found[0].to_dict()["answers"] if single else answer_rows(asked)))
        return
    for record, each in zip(records, found, strict=True):
        if not single:
            typer.echo(f"{_picture(record)}  {record.question}".strip())
        _print(each, task)


def _records(options: PredictOptions, pictures: Sequence[Path | None]) -> list[Record]:
    """One for each picture and text; the further pictures belong to all."""
    texts = [*(options.question or []), *(options.text or [])] or [""]
    if len(pictures) > 1:
        return [_record(picture, texts[0], options) for picture in pictures]
    return [_record(pictures[0], text, options) for text in texts]


def _record(picture: Path | None, text: str, options: PredictOptions) -> Record:
    from ..data.record import Record

    given = [each for each in (picture, *(options.image2 or [])) if each is not None]
    return Record(next(iter(given), None), text, further=tuple(given[1:]), options=tuple(options.option or ()))


def _conversation(options: PredictOptions, task: Generation) -> Record:
    """The conversation in a JSON file: a list of messages, or an object that has one and perhaps images."""
    from ..core.text_files import read_json
    from ..tasks.records import records

    path = options.conversation
    assert path is not None
    if options.image or options.question or options.text:
        raise InputError("--conversation: it has the texts and images; leave out others")
    content = read_json(path)
    row = {"messages": content} if isinstance(content, list) else content
    if not isinstance(row, dict):
        raise InputError(f"{path}: expected a list of messages, or an object with messages and images")
    if options.option:
        row = {**row, "options": list(options.option)}
    found = records([row], task, images=path.parent, require_answers=False, most_bad=1)
    if found.bad:
        raise InputError(f"{path}: {found.bad[0]}")
    return found[0]


def _stream(model: Any, task: Generation, record: Record) -> None:
    from ..predicting.stream import Stream

    stream = Stream.of(model, task, record, None)
    for piece in stream:
        typer.echo(piece, nl=False)
    typer.echo()
    if stream.cut:
        _tell_cut(task)


def _print(found: Prediction, task: Generation) -> None:
    print_answers(found)
    if any(answer.cut for answer in found):
        _tell_cut(task)


def _tell_cut(task: Generation) -> None:
    console.print(f"cut after {task.decoding.max_new_tokens} tokens; --max-new-tokens allows more")


def _picture(record: Record) -> str:
    return str(record.image) if record.images else ""
