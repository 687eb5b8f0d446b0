"""The latency step of a run: the original model, the one with adapters and nothing skipped, and the slim one."""

from __future__ import annotations

from pathlib import Path

import torch

from ..core.measurements import Latency
from ..core.process import best_device
from ..costs.example_inputs import example_inputs
from ..costs.latency import compare_latency
from ..exporting.load import load
from ..families.registry import family_of
from ..inserting.pruning import prune
from ..inserting.selection import blocks_of
from ..plan import Plan
from .run_models import RunModels


def time_models(models: RunModels, slim_folder: Path, size: tuple[int, int], length: int) -> Latency:
    """Forward passes of the three models, which take turns on the CPU or GPU of this machine.

    Args:
        models: of the run.
        slim_folder: directory of the slim model.
        size: of the images, height and width in pixels.
        length: tokens of text.
    """
    slim = load(slim_folder, verify=True)
    original = models.original()
    family_of(original).make_skippable(original)
    unskipped = models.adapted(fitted=False)
    unskipped = prune(unskipped, Plan(family_of(original).name, tuple(blocks_of(unskipped)), ()))
    timed = {"original": original, "unskipped": unskipped, "slim": slim}
    for model in timed.values():
        model.to(best_device())
    bench = models.recipe.bench
    batches = {
        str(batch): compare_latency(
            timed, example_inputs(original, size, length, batch), bench.repeats, title=f"timing {batch}"
        )
        for batch in bench.batch_sizes
    }
    device = str(next(slim.parameters()).device)
    content = {
        "batches": batches,
        "threads": torch.get_num_threads(),
        "device": device,
        "text_length": length,
        "image_size": size,
    }
    return Latency.from_dict({**content, "image_size": size})
