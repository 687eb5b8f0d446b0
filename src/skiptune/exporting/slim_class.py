"""The class of a slim model: its own, whose ``save_pretrained`` writes a slim directory again."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from ..inserting.adapted_class import AdaptedModel


class SlimModel(AdaptedModel):
    """A slim model, as :func:`skiptune.load` gives it."""

    manifest: Any

    def save_pretrained(
        self,
        save_directory: str | Path,
        is_main_process: bool = True,
        state_dict: dict[str, Any] | None = None,
        push_to_hub: bool = False,
        **settings: Any,
    ) -> None:
        """Write a slim directory that :func:`skiptune.load` reads, with its model card; other files in it stay.

        Save the processor beside it: ``task.processor.save_pretrained(directory)``. One that is trained further, or
        other weights, are saved as those of a model with adapters.

        Args:
            save_directory: the directory.
            is_main_process: whether this process writes.
            state_dict: other weights than the model's present ones.
            push_to_hub: also upload them, see :meth:`push_to_hub`.
            settings: as in transformers.

        Raises:
            InputError: the directory holds another model.
        """
        model: Any = self
        if state_dict is not None or any(parameter.requires_grad for parameter in model.parameters()):
            super().save_pretrained(save_directory, is_main_process, state_dict, push_to_hub, **settings)
            return
        if is_main_process:
            _save(self, Path(save_directory))
        if push_to_hub and is_main_process:
            hub = {name: settings[name] for name in ("private", "token", "commit_message") if name in settings}
            self.push_to_hub(settings.get("repo_id", Path(save_directory).name), **hub)

    def push_to_hub(self, repo_id: str, **settings: Any) -> str:
        """Upload the slim directory of this model, see :func:`skiptune.push_to_hub`."""
        from .hub import push_to_hub

        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / repo_id.rpartition("/")[2]
            _save(self, folder)
            return push_to_hub(folder, repo_id, **settings)


def _save(model: Any, folder: Path) -> None:
    """Write the slim directory."""
    from .save_slim import save_slim

    save_slim(model, folder)
