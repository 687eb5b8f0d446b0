"""The common part of all readers: bad rows are left out, counted and named; with too many of them the file is
refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias, TypedDict

from PIL import Image

from ...core.errors import InputError
from ..damaged import MOST_BAD
from ..held_pictures import InMemory
from ..pictures import image_problem
from ..record import Record
from ..record_table import TableWriter
from ..records import Records, add_record, refuse_bad

if TYPE_CHECKING:
    from typing_extensions import Unpack

#: A row of a file by the names of its values.
Row: TypeAlias = dict[str, Any]
#: The place of a row ("line 3"), and the row or its problem.
Entry: TypeAlias = tuple[str, Any]


class RowChecks(TypedDict, total=False):
    """How a reader treats bad rows.

    Attributes:
        most_bad: the share of bad rows above which the file is refused; by default 0.01.
        log: file that names every bad row; replaced if it exists, and written only if there is a bad row.
        check_images: open every image file once; otherwise only check that it exists and is not empty, as by default.
        look_at_images: whether an image that is missing or not one makes its row bad, as by default; otherwise those
            who use the image find out.
        accept: refuses a record that is not of the task, by an :class:`InputError`; its row is bad then.
        labels: names of the task's classes, in order, where the rows may be of several tasks; none: of all tasks.
        task: name of the task, where the fields of a row do not tell it.
    """

    most_bad: float
    log: str | Path | None
    check_images: bool
    look_at_images: bool
    accept: Callable[[Record], None]
    labels: Sequence[str]
    task: str


def collect(
    source: str, entries: Iterable[Entry], make: Callable[[Any], Iterable[Record]], **checks: Unpack[RowChecks]
) -> Records:
    """Make a table of records from all entries except bad ones.

    Args:
        source: the file, for messages.
        entries: rows with their places.
        make: a row to its records; raises :class:`InputError` when the row is bad.
        checks: see :class:`RowChecks`.

    Raises:
        InputError: no usable row, or too many of them bad; the message names the first ones.
    """
    writer, images, memory = TableWriter(), _Checked(checks.get("check_images", False)), InMemory()
    accept, look = checks.get("accept"), checks.get("look_at_images", True)
    rows, good, bad = 0, 0, _Bad(source, checks.get("log"))
    try:
        for place, row in entries:
            rows += 1
            try:
                if isinstance(row, InputError):
                    raise row
                found = list(make(row))
                for record in found:
                    if accept is not None:
                        accept(record)
                    if look:
                        images.check(record)
            except InputError as error:
                bad.add(f"{place}: {error}", good)
                continue
            for record in found:
                add_record(writer, record, place, memory)
            good += len(found)
        table = writer.finish()
        refuse_bad(source, len(table), rows, bad.found, checks.get("most_bad", MOST_BAD))
    except BaseException:
        writer.close()
        raise
    finally:
        bad.close()
    return Records(source, table, rows=rows, bad=bad.found, bad_before=bad.before)


class _Bad:
    """Bad rows, each also a line of a log file."""

    def __init__(self, source: str, log: str | Path | None) -> None:
        self.source = source
        self.found: list[str] = []
        self.before: list[int] = []
        self._path = Path(log) if log is not None else None
        self._file: TextIO | None = None
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def add(self, text: str, before: int) -> None:
        """A problem; ``before`` is the number of records that the rows before it gave."""
        self.found.append(text)
        self.before.append(before)
        if self._path is not None:
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("w", encoding="utf-8", errors="backslashreplace")
            self._file.write(f"{self.source}: {text}\n")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class _Checked:
    """Problems of image files; each file is checked once."""

    def __init__(self, open_them: bool) -> None:
        self._open_them = open_them
        self._good: set[str] = set()
        self._problems: dict[str, str] = {}

    def check(self, record: Record) -> None:
        for picture in record.images:
            if isinstance(picture, bytes | Image.Image) and (problem := image_problem(picture, self._open_them)):
                raise InputError(problem)
            if not isinstance(picture, Path) or str(picture) in self._good:
                continue
            name = str(picture)
            if name not in self._problems:
                problem = image_problem(picture, self._open_them)
                if not problem:
                    self._good.add(name)
                    continue
                self._problems[name] = problem
            raise InputError(self._problems[name])


def there(path: Path) -> bool:
    """Whether a file is there; none has a name that is too long or otherwise none of a file."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def image_folder(path: str | Path) -> Path:
    """The folder.

    Raises:
        InputError: there is none.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such image folder")
    return folder
