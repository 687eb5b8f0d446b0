"""The report of a pre-training that is finished."""

from __future__ import annotations

import json
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
    asked = json.loads(json.dumps(config))
    other = [name for name in asked if report["config"].get(name) != asked[name]]
    if other:
        told = ", ".join(f"{name} {report['config'].get(name)}, now {asked[name]}" for name in other)
        raise InputError(f"{final}: finished with other settings ({told}); name another output")
    return report
