"""The base of everything that is checked as a whole: configurations, recipes, and contents of JSON files."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from .errors import InputError
from .field_errors import field_errors
from .validation import LARGEST, Problems

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")

#: A text that can name something: not blank, and without NUL, which YAML can write and no path can hold.
Text = Annotated[str, Field(pattern=r"^[^\x00]*[^\s\x00][^\x00]*$")]
#: A whole number of at least 1, not larger than what libraries take for a size.
Count = Annotated[int, Field(ge=1, le=LARGEST)]
#: A whole number from 0 on.
Seed = Annotated[int, Field(ge=0, le=LARGEST, description=f"a whole number in [0, {LARGEST}]")]
#: A number; whole numbers are written to files as they were given, without a decimal point.
Number = int | float
#: A factor or weight from 0 on.
NonNegative = Annotated[Number, Field(ge=0, le=LARGEST)]


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


#: Several values; JSON and YAML have them as lists.
Several = Annotated[tuple[T, ...], BeforeValidator(_as_tuple)]


def _as_names(value: object) -> object:
    """``[0, 11]``, as YAML reads names that are numbers."""
    if not isinstance(value, list | tuple):
        return value
    return tuple(str(name) if type(name) is int else name for name in value)


#: Several names, which may be numbers.
Names = Annotated[tuple[str, ...], BeforeValidator(_as_names)]
#: Two values, likewise.
Pair = Annotated[tuple[T, T], BeforeValidator(_as_tuple)]


def _raising_input_errors(init: Callable[..., None]) -> Callable[..., None]:
    # ``wraps`` also copies pydantic's mark of its own ``__init__``. Without it pydantic would call this one for nested
    # values, and their problems would arrive as one text instead of one by one.
    @wraps(init)
    def checked(self: Validated, /, *given: Any, **values: Any) -> None:
        names = tuple(type(self).model_fields)
        if len(given) > len(names) or values.keys() & set(names[: len(given)]):
            raise TypeError(f"{type(self).__name__} takes each of its {len(names)} fields once")
        try:
            init(self, **dict(zip(names, given, strict=False)), **values)
        except ValidationError as error:
            raise input_error(error, type(self)) from None

    return checked


class Validated(BaseModel):
    """Immutable, with every field checked when it is made; one :class:`InputError` lists all problems.

    Fields may be given by place, as in a dataclass. Unknown fields are refused with the nearest valid name. Nothing
    is converted: a text is no number, a boolean is neither, and infinity and NaN are refused.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True, hide_input_in_errors=True
    )

    if not TYPE_CHECKING:
        __init__ = _raising_input_errors(BaseModel.__init__)

    def check(self, problems: Problems) -> None:
        """Add problems between fields that are valid by themselves."""

    @model_validator(mode="after")
    def _between_fields(self) -> Self:
        problems = Problems("")
        self.check(problems)
        problems.raise_any()
        return self

    @classmethod
    def from_dict(cls, values: object, subject: str | None = None) -> Self:
        """Make one from plain values.

        Args:
            values: a mapping, as JSON or YAML have it.
            subject: how the message begins; ``None``: ``… is not valid``.

        Raises:
            InputError: not a mapping, unknown fields or invalid values; all problems in one message.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise input_error(error, cls, subject) from None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON and YAML have them."""
        return self.model_dump(mode="json")

    def replace(self, **changes: Any) -> Self:
        """A copy with other values, checked like a new one.

        Raises:
            InputError: unknown fields or invalid values; all problems in one message.
        """
        given = {name: getattr(self, name) for name in self.model_fields_set}
        return type(self)(**{**given, **changes})


def input_error(error: ValidationError, model: type[BaseModel], subject: str | None = None) -> InputError:
    """Pydantic's errors for values of ``model``, as one message with a line per problem."""
    problems = Problems(subject or f"{model.__name__} is not valid")
    for line in field_errors(error, model):
        problems.add(line)
    return problems.error()
