"""Answer all rows of a file into another one, part by part; a killed process goes on with the parts that are left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeAlias

from torch import nn

from ...core.errors import InputError
from ...core.formatting import counted
from ...core.progress import bars_are_shown, busy, make_bar
from ...tasks.task import Task
from .answer_job import AnswerJob
from .answer_output import AnswerFile, AnswerOutput
from .answer_part import answer_parts
from .answered_row import text_of_rows
from .asked_rows import AskedRows
from .asking import Asking, Preparing
from .part import Part, all_parts
from .part_folder import PartFolder

#: Told how many rows more are answered.
Advance: TypeAlias = Callable[[int], object]
#: Gives the lines of parts, in any order, each part once.
AnswerParts: TypeAlias = Callable[[Sequence[Part], Advance], Iterator[tuple[Part, str]]]


def predict_file(
    model: nn.Module,
    task: Task,
    asked: AskedRows,
    output: AnswerOutput,
    asking: Asking,
    preparing: Preparing | None = None,
) -> AnswerFile:
    """Ask a model in this process.

    Args:
        model: of the task.
        task: of the model.
        asked: the rows.
        output: where the answers go.
        asking: how the rows are asked.
        preparing: with how many threads.

    Raises:
        InputError, RunError: as :func:`write_answers`.
    """

    def answer(parts: Sequence[Part], advance: Advance) -> Iterator[tuple[Part, str]]:
        for part, rows in answer_parts(model, task, asked, parts, asking, preparing, advance):
            yield part, text_of_rows(rows)

    with busy("looking at the rows"):
        job = AnswerJob.of(model, task, asked, asking)
    return write_answers(job, output, answer)


def write_answers(job: AnswerJob, output: AnswerOutput, answer: AnswerParts) -> AnswerFile:
    """Let ``answer`` give the parts that are left, and make the file of all.

    Args:
        job: what is asked.
        output: where the answers go.
        answer: gives the lines of parts.

    Raises:
        InputError: the output is there already, or parts of another job are, or too many rows have an error.
        RunError: the disk is full or not writable.
    """
    parts = all_parts(job.count, job.asking.part_rows)
    folder = PartFolder(output.path)
    left = folder.begin(job, parts, output.force)
    done = job.count - sum(map(len, left))
    with make_bar() as bar, ThreadPoolExecutor(1) as writer:
        bar.disable = not bars_are_shown()
        row_count = bar.add_task("predicting", total=job.count, completed=done, note="")
        writing: Future[None] | None = None

        def written() -> None:
            if writing is not None:
                writing.result()
            if folder.errors:
                bar.update(row_count, note=counted(folder.errors, "errors"))
            _refuse_bad(folder, job, output)

        written()  # by a call before
        for part, text in answer(left, lambda rows: bar.advance(row_count, rows)) if left else ():
            written()
            writing = writer.submit(folder.write, part, text)
        written()
    return folder.join(job, parts)


def _refuse_bad(folder: PartFolder, job: AnswerJob, output: AnswerOutput) -> None:
    if output.most_bad is not None and folder.errors > output.most_bad * job.count + 1e-9:
        raise InputError(
            f"{output.path}: {folder.errors:,} of {job.count:,} rows cannot be answered, more than most_bad "
            f"({output.most_bad:.3g}) allows; their errors are in {folder.folder}. Allow more to go on"
        )
