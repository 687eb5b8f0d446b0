"""What a pre-training has left in its output, and whether its settings were those of now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.errors import InputError
from ..core.text_files import read_json


def finished_report(final: Path, config: dict[str, Any]) -> Any:
    """What ``pretraining.json`` in ``final`` says; ``None``: the training is not finished.

    Args:
        final: the model's directory.
        config: the settings that are asked for now.

    Raises:
        InputError: it was made with other settings.
    """
    path = final / "pretraining.json"
    if not path.is_file():
        return None
    report = read_json(path)
    if other := other_settings(report["config"], config):
        raise InputError(f"{final}: finished with other settings ({other}); name another output")
    return report


def refuse_other(begun: Path, made: Mapping[str, object], config: Mapping[str, object]) -> None:
    """Refuse to go on from checkpoints that were made under other settings.

    Args:
        begun: directory of the checkpoints, for the message.
        made: the settings as they were written.
        config: those that are asked for now.

    Raises:
        InputError: names the settings that differ.
    """
    if other := other_settings(made, config):
        raise InputError(f"{begun}: begun with other settings ({other}); name another output")


def other_settings(made: Mapping[str, object], config: Mapping[str, object]) -> str:
    """The settings asked for now that were others, with both values; empty: there are none.

    Args:
        made: the settings as they were written.
        config: those that are asked for now.
    """
    asked = json.loads(json.dumps(config))
    return ", ".join(f"{name} {made.get(name)}, now {asked[name]}" for name in asked if made.get(name) != asked[name])
