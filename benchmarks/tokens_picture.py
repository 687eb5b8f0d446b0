"""Which patches live on: the picture of the guide to fewer image tokens, of easy-VQA's first test pictures.

    python benchmarks/tokens_picture.py [--way merge] [--output docs/pictures/patches.png]

The model is ``vilt-scenes`` as it was pre-trained; with a schedule, no weight is another.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import get_args

import skiptune as st
from skiptune.config.way import Way
from skiptune.core.process import quiet_libraries
from skiptune.inserting.selection import choose
from skiptune.reporting.patch_picture import patch_picture
from skiptune.running.patches_step import first_pictures, traced_pictures
from skiptune.running.recipe_reading import read_recipe
from skiptune.running.run import Run

PICTURES = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--way", default="merge", choices=get_args(Way))
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "docs" / "pictures" / "patches.png")
    options = parser.parse_args()
    quiet_libraries()
    run = Run(read_recipe("easy-vqa-demo", [], "runs/tokens-picture"))
    task, records = run.task, first_pictures(run.data.held_out["test"], PICTURES)
    model = st.insert(run.plain_model(), st.SkipConfig(block_adapter="lora")).eval()
    choose(model, (), st.TokenSchedule(keep={"3": 0.6, "6": 0.3, "9": 0.15}, way=options.way))
    pictures, living, patch = traced_pictures(model, task, records)
    options.output.write_bytes(patch_picture(pictures, living, patch))


if __name__ == "__main__":
    main()
