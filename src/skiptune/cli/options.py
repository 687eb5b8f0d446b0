"""The common part of commands: how a dataclass of options becomes a command, shared options, parsers of values."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypeVar, get_args, get_type_hints

import typer

from ..core.errors import InputError
from ..core.validation import nearest
from ..spreading.address import read_address

if TYPE_CHECKING:
    from ..spreading.cluster import Cluster

Options = TypeVar("Options")


def takes(options: Callable[..., Options]) -> Callable[[Callable[[Options], None]], Callable[..., None]]:
    """Make a command of a function that takes one dataclass: each field becomes an argument or option of the command.

    Typer reads the parameters of a command from the signature of its function. The command that is returned here shows
    Typer the fields of the dataclass as its signature, in their order and with their annotations and defaults. When it
    is called, it makes the dataclass of its arguments and passes it on.

    Args:
        options: a dataclass whose fields are annotated as Typer's parameters.
    """
    hints = get_type_hints(options, include_extras=True)
    parameters = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in fields(options)  # type: ignore[arg-type]
    ]

    def with_options(function: Callable[[Options], None]) -> Callable[..., None]:
        def command(**given: Any) -> None:
            function(options(**given))

        command.__name__, command.__doc__ = function.__name__, function.__doc__
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return command

    return with_options


class ImageSize(NamedTuple):
    """Pixels."""

    height: int
    width: int


def parsed(parse: Callable[[str], Any], *names: str, **settings: Any) -> Any:
    """An option whose text is turned into a value by ``parse``; ``settings`` are those of ``typer.Option``.

    A ``ValueError`` of ``parse`` ends like all wrong input, with one plain line that names the option; Typer would
    print the error of its own ``parser`` in a box, broken into lines.
    """

    def read(option: typer.CallbackParam, given: Any) -> Any:
        try:
            return parse(given) if isinstance(given, str) else given  # a default may be a value already
        except ValueError as error:
            raise InputError(f"{option.opts[0]}: {error}") from None

    return typer.Option(*names, parser=lambda given: given, callback=read, **settings)


def choice(kind: Any, *names: str, **settings: Any) -> Any:
    """An option whose values are those of ``kind``, a ``Literal``; a wrong one is refused with the nearest of them."""
    valid = get_args(kind)

    def parse(text: str) -> str:
        if text not in valid:
            raise ValueError(f"{text!r}{nearest(text, valid)}")
        return text

    return parsed(parse, *names, metavar=f"<{'|'.join(valid)}>", **settings)


def read_size(text: str) -> ImageSize:
    """``HEIGHTxWIDTH``.

    Raises:
        ValueError: it is not that.
    """
    height, times, width = text.lower().partition("x")
    if not (times and height.isdigit() and width.isdigit()):
        raise ValueError(f"{text!r} is not HEIGHTxWIDTH, e.g. 384x384")
    return ImageSize(int(height), int(width))


def read_counts(text: str) -> tuple[int, ...]:
    """Whole numbers with commas between them.

    Raises:
        ValueError: it is not that.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() for part in parts):
        raise ValueError(f"{text!r} are not whole numbers with commas between them, e.g. 1,8,32")
    return tuple(int(part) for part in parts)


def read_names(text: str) -> tuple[str, ...]:
    """Names with commas between them."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def read_shares(text: str) -> dict[str, float]:
    """Names of blocks and shares of the image tokens.

    Raises:
        ValueError: it is not that.
    """
    found: dict[str, float] = {}
    for entry in read_names(text):
        name, _, share = entry.partition("=")
        try:
            value = float(share)
        except ValueError:
            raise ValueError(f"{entry!r} is not BLOCK=SHARE, e.g. 3=0.5,6=0.25") from None
        if name.strip() in found:
            raise ValueError(f"{text!r}: block {name.strip()!r} is named twice")
        found[name.strip()] = value
    return found


def read_columns(given: Sequence[str]) -> dict[str, str]:
    """Our fields and the names that they have in the data.

    Raises:
        InputError: one is not ``FIELD=NAME``, or a field has two names.
    """
    found: dict[str, str] = {}
    for entry in given:
        field, equals, name = entry.partition("=")
        if not equals or not field or not name:
            raise InputError(f"--column {entry}: expected FIELD=NAME, e.g. question=text")
        if found.setdefault(field, name) != name:
            raise InputError(f"--column {entry}: {field} is {found[field]} already")
    return found


def on_cluster(address: str | None) -> AbstractContextManager[Cluster | None]:
    """The cluster of ``--ray``, for as long as the context lasts; ``None``: work on this machine.

    Raises:
        InputError: it cannot be used.
    """
    from ..spreading.cluster import connected

    return nullcontext() if address is None else connected(address)


RecipeArgument = Annotated[str, typer.Argument(help="A recipe file, or the name of a packaged recipe.")]
SlimArgument = Annotated[str, typer.Argument(help="A slim model's directory or hub id, or a run's directory.")]
OutputOption = Annotated[
    str | None, typer.Option("--output", "-o", help="Directory of the run, instead of the recipe's.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", help="Change a field of the recipe, e.g. --set train.epochs=2. May be repeated."),
]
ColumnOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FIELD=NAME", help="The name of a field in the data, as data.columns of recipes. May be repeated."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else on standard output.")]
BaseOption = Annotated[str | None, typer.Option("--base", help="Where the base model is, for an adapters-only export.")]
RayOption = Annotated[
    str | None,
    parsed(
        read_address,
        "--ray",
        metavar="ADDRESS",
        help="Work on the nodes of this Ray cluster: HOST:PORT, ray://HOST:PORT, auto for the one that this machine is "
        "in, local for a new one of this machine alone.",
    ),
]
Backend = Literal["torch", "onnx", "onnx-int8"]
BackendOption = Annotated[
    Backend | None,
    choice(Backend, "--backend", help="By default the first of them that the directory holds."),
]
