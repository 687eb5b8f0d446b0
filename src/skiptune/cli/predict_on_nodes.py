"""``predict --data`` on the nodes of a cluster: each opens the model and the rows once, and answers parts of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from ..core.errors import InputError, RunError
from ..core.process import keep_freed_memory, quiet_libraries
from ..core.progress import busy, without_bars
from ..core.validation import Problems
from ..spreading.cluster import Cluster
from ..spreading.spread import Ended, Spread

if TYPE_CHECKING:
    from ..predicting.files.answer_job import AnswerJob
    from ..predicting.files.answer_output import AnswerFile, AnswerOutput
    from ..predicting.files.part import Part
    from .opened_data import OpenedData
    from .predict_command import PredictOptions

#: Parts that are given out for every one that is answered at a time, so that no node waits.
_AHEAD = 2


@dataclass(frozen=True)
class NodeQuestions:
    """What a node is given.

    Attributes:
        options: of the command, with absolute paths.
        job: that of the machine where the command runs.
        threads: of torch.
        part: the rows to answer; one without rows: only open model and data, and compare them.
    """

    options: PredictOptions
    job: AnswerJob
    threads: int
    part: Part


@dataclass(frozen=True)
class NodeAnswers:
    """What comes back: the lines of a part, or what is wrong."""

    text: str = ""
    error: InputError | RunError | None = None


#: What this process has opened, by command and job.
_opened: dict[str, OpenedData] = {}


def answer_there(questions: NodeQuestions) -> NodeAnswers:
    """Answer a part on this node."""
    from ..predicting.files.answer_part import answer_part
    from ..predicting.files.answered_row import text_of_rows

    try:
        with without_bars():
            given = _given(questions)
            if not len(questions.part):
                return NodeAnswers()
            model, task = given.pipe.model, given.pipe.task
            rows = answer_part(model, task, given.asked, questions.part, given.asking, given.preparing)
            return NodeAnswers(text_of_rows(rows))
    except (InputError, RunError) as error:
        return NodeAnswers(error=error)


def _given(questions: NodeQuestions) -> OpenedData:
    """Model and rows, opened once in a process.

    Raises:
        InputError: they are others than where the command runs.
    """
    import torch

    from .opened_data import opened

    key = f"{questions.options} {questions.job}"
    if key in _opened:
        return _opened[key]
    quiet_libraries()
    keep_freed_memory()
    torch.set_num_threads(questions.threads)
    given = opened(questions.options)
    here, wanted = given.job(), questions.job
    problems = Problems("the model or the data are others there")
    problems.check(here.model == wanted.model, f"{questions.options.model}: not the same model, task or processor")
    problems.check(here.count == wanted.count, f"{questions.options.data}: {here.count:,} rows, not {wanted.count:,}")
    problems.check(here.rows == wanted.rows, f"{questions.options.data}: other rows or images")
    problems.check(here.device == wanted.device, f"answers are computed on {here.device}, not on {wanted.device}")
    problems.raise_any()
    _opened.clear()
    _opened[key] = given
    return given


def predict_on_nodes(cluster: Cluster, options: PredictOptions, job: AnswerJob, output: AnswerOutput) -> AnswerFile:
    """Let the nodes of a cluster answer. Parts are written here as they come; one whose node dies is answered on
    another.

    Args:
        cluster: that does it, a part at a time on the smallest node.
        options: of the command, with absolute paths.
        job: what is asked.
        output: where the answers go.

    Raises:
        InputError: the model or the rows are others on a node, or as :func:`write_answers`.
        RunError: a part failed on a node.
    """
    from ..predicting.files.part import Part
    from ..predicting.files.predict_file import Advance, write_answers

    needs = cluster.share(1)
    questions = NodeQuestions(options, job, int(needs.cpus), Part(-1, 0, 0))

    def answer(parts: Sequence[Part], advance: Advance) -> Iterator[tuple[Part, str]]:
        _check(cluster, questions)
        waiting = (replace(questions, part=part) for part in parts)
        with Spread[NodeQuestions, NodeAnswers](cluster, answer_there, needs, keep=True) as spread:
            for ahead in islice(waiting, _AHEAD * cluster.at_once(needs)):
                spread.add(ahead)
            for ended in spread.ended():
                for following in islice(waiting, 1):
                    spread.add(following)
                part, text = _part_of(ended)
                advance(len(part))
                yield part, text

    return write_answers(job, output, answer)


@busy("looking at the nodes")
def _check(cluster: Cluster, questions: NodeQuestions) -> None:
    """Let every node open the model and the rows before any is asked.

    Raises:
        InputError: names the nodes and what is missing or other there.
    """
    problems = Problems("--ray: the nodes need the same model and data, at the same paths")
    for node, found in cluster.on_each(answer_there, questions, keep=True):
        problems.check(found.error is None, f"{node.host}: {found.error}")
    problems.raise_any()


def _part_of(ended: Ended[NodeQuestions, NodeAnswers]) -> tuple[Part, str]:
    part, found = ended.item.part, ended.result
    if found is None:
        raise RunError(f"rows {part.start + 1} to {part.stop}: {ended.failure}. Run the same command again to go on")
    if found.error is not None:
        raise found.error
    return part, found.text
