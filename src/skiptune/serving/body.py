"""The body of a request, read within its limit, as JSON or as a form."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from ..core.errors import InputError, first_line
from .asked import Ask
from .limits import Limits
from .refusal import RefusedError
from .sent_pictures import from_base64

if TYPE_CHECKING:
    from starlette.requests import Request

_JSON, _FORM = "application/json", "multipart/form-data"
#: Of a size that can be meant; Python makes no numbers of thousands of them.
_DIGITS = 18
#: Fields of a form that are numbers, or several texts.
_WHOLE, _REAL, _SEVERAL = ("top", "top_k", "seed", "max_new_tokens"), ("temperature", "top_p"), ("options", "stop")


@dataclass(frozen=True)
class Body:
    """What was sent: JSON, which is not read yet, or a form.

    Attributes:
        json: bytes.
        fields: of a form.
        pictures: files of a form.
    """

    json: bytes | None
    fields: dict[str, Any]
    pictures: list[bytes]

    def read(self, limits: Limits) -> tuple[Ask, list[bytes]]:
        """The request and its pictures.

        Raises:
            InputError: it is not valid, or too much; all problems at once.
        """
        if self.json is None:
            return Ask.of(self.fields, limits), self.pictures
        try:
            values = from_json(self.json, allow_inf_nan=False)
        except ValueError as error:
            raise InputError(f"request: this is no JSON ({first_line(error)})") from None
        ask = Ask.of(values, limits)
        return ask, [from_base64(text) for text in ask.images]


async def read_body(request: Request, limits: Limits) -> Body:
    """Read a body.

    Raises:
        RefusedError: of another kind, too large, or a form that is cut off.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise RefusedError(415, "content-encoding: send the body as it is, not compressed")
    if kind not in (_JSON, _FORM):
        raise RefusedError(415, f"content-type: {kind or 'none'!r}; send {_JSON} or {_FORM}")
    told = request.headers.get("content-length", "0")
    if told.isascii() and told.isdigit() and (len(told) > _DIGITS or int(told) > limits.body_bytes):
        raise _too_large(limits)
    if kind == _FORM:
        return await _form(request, limits)
    return Body(b"".join([chunk async for chunk in _bounded(request, limits)]), {}, [])


async def _bounded(request: Request, limits: Limits) -> AsyncGenerator[bytes, None]:
    """Parts of the body, until there are too many of them."""
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limits.body_bytes:
            raise _too_large(limits)
        yield chunk


async def _form(request: Request, limits: Limits) -> Body:
    """A form, which is held in memory: nothing is written to the disk."""
    from starlette.datastructures import UploadFile
    from starlette.formparsers import MultiPartException, MultiPartParser

    parser = MultiPartParser(
        request.headers,
        _bounded(request, limits),
        max_files=limits.pictures,
        max_fields=2 * limits.texts + len(_WHOLE) + len(_REAL),
        max_part_size=4 * limits.letters,  # the bytes that a letter may take
    )
    parser.spool_max_size = limits.body_bytes + 1
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise RefusedError(400, f"request: the form cannot be read ({error.message})") from None
    except (KeyError, UnicodeDecodeError, LookupError, ValueError):
        raise RefusedError(400, "request: the form cannot be read; is its boundary in the content type?") from None
    pictures, fields = [], []
    for name, value in form.multi_items():
        if isinstance(value, UploadFile) and name == "image":
            pictures.append(await value.read())
        else:
            fields.append((name, "" if isinstance(value, UploadFile) else value))
    await form.close()
    return Body(None, _values(fields), pictures)


def _values(given: list[tuple[str, str]]) -> dict[str, Any]:
    """Fields of a form as JSON has them; what is no number stays a text, which is refused as such."""
    found: dict[str, Any] = {}
    for name, text in given:
        if name == "image":
            raise RefusedError(400, "image: a text; send the picture as a file of the form")
        if name in ("text", *_SEVERAL):
            found.setdefault(name, []).append(text)
        elif name in found:
            raise RefusedError(400, f"{name}: given twice")
        else:
            found[name] = _number(name, text)
    return found


def _number(name: str, text: str) -> str | int | float:
    try:
        return int(text) if name in _WHOLE else float(text) if name in _REAL else text
    except ValueError:
        return text


def _too_large(limits: Limits) -> RefusedError:
    return RefusedError(413, f"request: more than {limits.mebibytes:g} MiB; send smaller or fewer pictures")
