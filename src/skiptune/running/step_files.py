"""The results of steps, each in a file of its own; a resumed run reads the existing files."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ..core.digests import check_recorded, write_recorded_json
from ..core.distributed import alike, on_main
from ..core.errors import InputError
from ..core.text_files import read_json
from ..core.validated import Validated

T = TypeVar("T")
V = TypeVar("V", bound=Validated)
#: Beside a step's own fields in its file: the wall time that it took.
STEP_SECONDS = "step_seconds"
#: What to do about a file of a step that is not as it was written.
AGAIN = "Remove it to do this step again."


def step(path: Path, kind: type[V], before: Callable[[], T], make: Callable[[T], V], again: bool = False) -> V:
    """The result of a step, of type ``kind``, from its file; made and written if there is no file yet, or ``again``.

    Args:
        path: of the file.
        kind: the type of its content.
        before: work that all processes do first; its result is the argument of ``make``.
        make: the step itself, done by the first process.
        again: whether what is there is replaced.

    Raises:
        InputError: the file is truncated or edited.
    """
    if again or not on_main(path.is_file):
        given = before()
        started = time.perf_counter()

        def write() -> None:
            content = make(given).model_dump(mode="json", exclude_unset=True)
            write_recorded_json(path, {**content, STEP_SECONDS: time.perf_counter() - started})

        on_main(write)
    try:
        found = read_step(on_main(lambda: read_json(path)), path, kind)
    except InputError as error:
        raise alike(error) from None
    on_main(lambda: check_recorded(path, AGAIN))
    return found


def read_step(content: object, path: Path, kind: type[V]) -> V:
    """The content of a step's file.

    Raises:
        InputError: truncated or edited.
    """
    if not isinstance(content, dict) or STEP_SECONDS not in content:
        raise InputError(f"{path}: not what this step leaves; edited? Remove it to do the step again")
    found = {name: value for name, value in content.items() if name != STEP_SECONDS}
    return kind.from_dict(found, f"{path}: not what this step leaves; edited? Remove it to do the step again")
