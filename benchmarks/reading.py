"""How fast VQAv2-style questions are read, and what memory that costs.

    python benchmarks/reading.py [--questions 200000] [--images 40000]

Makes a synthetic set as the published one is built (questions, annotations with ten answers each, five an image;
image files hold a few bytes, for only their presence is looked at), reads a quarter of it and all of it in processes of
their own, and writes ``benchmarks/results/reading.json``: records a second by the clock and by the processor (other
work may run beside), the peak resident memory of both, and its growth for each further record. Then all records are
visited in order and some at random.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import random
import resource
import shlex
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow

from skiptune.core.files import write_json
from skiptune.data.readers.vqav2 import read_vqav2

_WORDS = "what color is the dog man on left of table how many people are there in picture near red bus".split()  # noqa: SIM905
_NAMES = ("v2_OpenEnded_mscoco_train2014_questions.json", "v2_mscoco_train2014_annotations.json")
_LOOKS = 20_000


def make_set(folder: Path, questions: int, images: int) -> None:
    """Write the two files and the images."""
    rng = random.Random(0)
    (folder / "train2014").mkdir(parents=True)
    for image in range(images):
        (folder / "train2014" / f"COCO_train2014_{image:012d}.jpg").write_bytes(b"\xff\xd8\xff")
    kept = [f"answer {k}" if k > 20 else str(k) for k in range(3000)]
    with (folder / _NAMES[0]).open("w") as first, (folder / _NAMES[1]).open("w") as second:
        first.write('{"info": {"version": "2.0"}, "data_subtype": "train2014", "questions": [')
        second.write('{"info": {"version": "2.0"}, "data_subtype": "train2014", "annotations": [')
        for row in range(questions):
            image, number = row % images, 1000 * (row % images) + row // images
            text = " ".join(rng.choices(_WORDS, k=6)) + "?"
            few = rng.choices(kept, k=4)
            answers = [{"answer": rng.choice(few), "answer_confidence": "yes", "answer_id": k + 1} for k in range(10)]
            question = {"image_id": image, "question": text, "question_id": number}
            annotation = {
                "question_type": "what color",
                "multiple_choice_answer": few[0],
                "answers": answers,
                "image_id": image,
                "answer_type": "other",
                "question_id": number,
            }
            comma = ", " if row else ""
            first.write(comma + json.dumps(question))
            second.write(comma + json.dumps(annotation))
        first.write("]}")
        second.write("]}")


def peak() -> int:
    """Largest resident memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(folder: Path) -> dict[str, Any]:
    """Read the set, then visit its records."""
    before = peak()
    started, used = time.perf_counter(), time.process_time()
    records = read_vqav2(folder / _NAMES[0], folder / _NAMES[1], folder)
    seconds, used = time.perf_counter() - started, time.process_time() - used
    after = peak()
    started = time.perf_counter()
    characters = sum(len(record.text) for record in records)
    in_order = time.perf_counter() - started
    rng = random.Random(0)
    started = time.perf_counter()
    for _ in range(_LOOKS):
        characters += len(records[rng.randrange(len(records))].text)
    at_random = time.perf_counter() - started
    return {
        "records": len(records),
        "bad": len(records.bad),
        "seconds": seconds,
        "records_per_second": len(records) / seconds,
        "cpu_seconds": used,
        "records_per_cpu_second": len(records) / used,
        "rss_before_bytes": before,
        "rss_peak_bytes": after,
        "in_order_per_second": len(records) / in_order,
        "at_random_per_second": _LOOKS / at_random,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=200_000)
    parser.add_argument("--images", type=int, default=40_000)
    arguments = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        for share in (4, 1):
            folder = Path(scratch) / str(share)
            make_set(folder, arguments.questions // share, arguments.images // share)
            pool = multiprocessing.get_context("spawn").Pool(1)
            found.append(pool.apply(measure, (folder,)))
            pool.close()
            pool.join()
    small, large = found
    growth = (large["rss_peak_bytes"] - small["rss_peak_bytes"]) / (large["records"] - small["records"])
    result = {
        "command": shlex.join(["python", "benchmarks/reading.py", *sys.argv[1:]]),
        "quarter": small,
        "whole": large,
        "peak_bytes_per_further_record": growth,
        "machine": {
            "cores": os.cpu_count(),
            "load": os.getloadavg(),
            "python": platform.python_version(),
            "pyarrow": pyarrow.__version__,
        },
    }
    write_json(Path(__file__).parent / "results" / "reading.json", result)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
