"""Tiny slim models, and requests to a service of them without Ray."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, Literal

from skiptune import Plan, blocks_of, choose, export
from skiptune.answering.opened import named_folders
from skiptune.serving.limits import Limits
from skiptune.serving.service import Service
from skiptune.tasks.task import Task


def save_slim(folder: Path, model: Any, task: Task, form: Literal["standalone", "adapters"] = "standalone") -> Path:
    """A slim model without the second block, of a model with adapters; returns the folder."""
    blocks = tuple(blocks_of(model))
    choose(model, [blocks[1]])
    export(model, folder, Plan("vilt", blocks, (blocks[1],)), task, form=form)
    return folder


def service_of(*folders: str | Path, **limits: Any) -> Service:
    """A service of slim models, each named by its folder."""
    return Service.of(named_folders([str(folder) for folder in folders]), Limits(**limits), 1, None, None)


def in_base64(picture: Path) -> str:
    """The bytes of a file as JSON has them."""
    return base64.b64encode(picture.read_bytes()).decode()
