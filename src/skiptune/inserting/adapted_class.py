"""The class of a model with adapters: its own, which also saves the adapters so that they are not lost."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from .saved_model import write_saved

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel

#: What ``push_to_hub`` takes, where ``save_pretrained(..., push_to_hub=True)`` is given it.
_OF_THE_HUB = ("commit_message", "commit_description", "private", "token", "revision", "create_pr", "tags")


class AdaptedModel:
    """A model with adapters. A class of it stands before the model's own, by which it is called.

    Attributes:
        plain_class: the model's own class.
    """

    plain_class: ClassVar[type[Any]]  # evaluated by transformers, so of names that are imported

    def save_pretrained(
        self,
        save_directory: str | Path,
        is_main_process: bool = True,
        state_dict: dict[str, Any] | None = None,
        push_to_hub: bool = False,
        **settings: Any,
    ) -> None:
        """Save all weights as transformers does, with a ``config.json`` that says what was inserted.

        :func:`skiptune.load` reads it, and a ``Trainer`` its checkpoints. Classes of transformers refuse the
        directory: they would leave the adapters out, and fill what they do not find with random numbers.

        Args:
            save_directory: the directory; other files in it stay.
            is_main_process: whether this process writes.
            state_dict: other weights than the model's present ones.
            push_to_hub: also upload them, see :meth:`push_to_hub`.
            settings: as in transformers.
        """
        upload = {name: settings.pop(name) for name in _OF_THE_HUB if name in settings and push_to_hub}
        repo_id = settings.pop("repo_id", Path(save_directory).name)
        plain: Any = super()
        # names as they are here, not as older versions of transformers had them
        plain.save_pretrained(
            save_directory, is_main_process, state_dict, **{"save_original_format": False, **settings}
        )
        if is_main_process:
            write_saved(self, Path(save_directory))
        if push_to_hub and is_main_process:
            uploading: Any = self
            uploading.push_to_hub(repo_id, **upload)

    def __reduce__(self) -> tuple[Any, ...]:
        """A class made here cannot be found by its name, so copies and pickles make it again."""
        return _blank, (type(self).__mro__[1], self.plain_class), self.__dict__


@cache
def class_with(kind: Any, plain: Any) -> Any:
    """The class ``plain`` with the methods of ``kind``, an :class:`AdaptedModel`, before its own; it has its name."""
    names = {"__module__": plain.__module__, "__qualname__": plain.__qualname__, "__doc__": plain.__doc__}
    return type(plain.__name__, (kind, plain), {**names, "plain_class": plain})


def adapt_class(model: Any, kind: Any = AdaptedModel) -> None:
    """Give a model the methods of ``kind``, in place. One that is not of transformers stays as it is."""
    if hasattr(model, "save_pretrained"):
        own: Any = plain_class(model)
        model.__class__ = class_with(kind, own)


def plain_class(model: nn.Module) -> type[PreTrainedModel]:
    """The class that a model had before adapters were inserted."""
    found: type[PreTrainedModel] = getattr(type(model), "plain_class", type(model))
    return found


def _blank(kind: Any, plain: Any) -> Any:
    made = class_with(kind, plain)
    return made.__new__(made)
