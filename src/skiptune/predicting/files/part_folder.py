"""Parts of a file of answers, kept in a folder beside it until all are there: what a killed process goes on from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from ...core.errors import InputError
from ...core.files import write_json, write_text
from ...core.folder_lock import drop, hold
from ...core.output_folders import behind_links, make_output_folder
from ...core.temporaries import is_temporary
from .answer_job import AnswerJob, AnswersEnded
from .answer_output import AnswerFile
from .answered_row import is_error
from .part import Part
from .row_files import write_rows

_JOB, _DONE = "job.json", "done.json"


class PartFolder:
    """The folder ``OUTPUT.parts``. One process writes in it at a time.

    Args:
        output: the file that the parts become.

    Attributes:
        output: likewise; the target of a symbolic link.
        errors: how many rows of the parts that are there have an error.
    """

    def __init__(self, output: Path) -> None:
        self.output = behind_links(output)
        self.folder = self.output.with_name(f"{self.output.name}.parts")
        self.errors = 0
        self._ended: AnswersEnded | None = None

    def begin(self, job: AnswerJob, parts: Sequence[Part], force: bool = False) -> list[Part]:
        """Take hold of the folder; the parts that are still to be answered.

        Args:
            job: what is asked.
            parts: all of it.
            force: drop what is there.

        Raises:
            InputError: another process writes there, the output is there already, or parts of another job are.
        """
        if self.output.is_dir():
            raise InputError(f"{self.output}: a directory is in the way; name a file")
        make_output_folder(self.folder, "output")
        self._lock = hold(self.folder, "output")
        ended = AnswersEnded.read(self.folder / _DONE)
        if ended is not None and ended.job == job and self.output.is_file() and not force:
            self._ended = ended  # it was killed while it removed the parts
            return []
        if force or ended is not None:
            self._clear()
        known = AnswerJob.read(self.folder / _JOB)
        if known is None:
            if self.output.exists() and not force:
                self.leave()
                raise InputError(f"{self.output}: is there already; name another file, or replace it with --force")
            self._clear()
            write_json(self.folder / _JOB, job.to_dict())
        else:
            known.refuse_other(job, self.output)
        done = [part for part in parts if self.path_of(part).is_file()]
        self.errors = sum(is_error(line) for part in done for line in self.lines(part))
        return [part for part in parts if part not in set(done)]

    def path_of(self, part: Part) -> Path:
        """The file of a part."""
        return self.folder / f"part-{part.number:06d}.jsonl"

    def write(self, part: Part, text: str) -> None:
        """Keep the lines of a part, whole or not at all.

        Raises:
            RunError: the disk is full or not writable.
        """
        write_text(self.path_of(part), text)
        self.errors += sum(map(is_error, text.splitlines()))

    def lines(self, part: Part) -> list[str]:
        """The lines of a part that is there.

        Raises:
            InputError: it is damaged.
        """
        path = self.path_of(part)
        found = path.read_text(encoding="utf-8").splitlines()
        if len(found) != len(part):
            raise InputError(f"{path}: {len(found)} lines, and it had {len(part)}; remove it to answer them again")
        return found

    def join(self, job: AnswerJob, parts: Sequence[Part]) -> AnswerFile:
        """Make the output of all parts, and remove the folder."""
        if self._ended is None:
            found = write_rows(self.output, lambda: self._all_lines(parts))
            self._ended = AnswersEnded(job=job, errors=found.errors, problems=found.problems)
            write_json(self.folder / _DONE, self._ended.to_dict())
        written = AnswerFile(self.output, job.count, self._ended.errors, tuple(self._ended.problems))
        self._clear()
        self.leave()
        return written

    def leave(self) -> None:
        """Let go of the folder; it goes if nothing is in it."""
        drop(self.folder)

    def _all_lines(self, parts: Sequence[Part]) -> Iterator[str]:
        for part in parts:
            yield from self.lines(part)

    def _clear(self) -> None:
        """Remove the parts. The job first: parts without one are nobody's."""
        (self.folder / _JOB).unlink(missing_ok=True)
        with suppress(OSError):
            for path in self.folder.iterdir():
                if path.match("part-*.jsonl") or is_temporary(path):
                    path.unlink(missing_ok=True)
        (self.folder / _DONE).unlink(missing_ok=True)
