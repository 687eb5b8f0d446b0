"""What the text alone gives: the accuracy of a rule that never looks at an image.

    python benchmarks/question_only.py [--data ../shared/data]

For questions the rule gives the most common answer to the same question in the training part. A question that does not
occur there is cut from its end, word by word, until its beginning occurs. For statements it always says "true".
Files of daquar and nlvr lie in ``DATA/daquar`` and ``DATA/nlvr``; sets that are not there are left out. Writes
``benchmarks/results/question_only.json``.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import skiptune as st
from skiptune.core.files import write_json
from skiptune.data.data_config import DataConfig
from skiptune.data.parts import read_parts
from skiptune.data.record import Record

HERE = Path(__file__).parent


def beginnings(question: str) -> Iterator[str]:
    """The question, then its beginnings, one word shorter each time; the empty text comes last."""
    words = question.lower().rstrip(" ?").split()
    for count in range(len(words), -1, -1):
        yield " ".join(words[:count])


def by_question(train: Sequence[Record], test: Sequence[Record]) -> float:
    """The accuracy on ``test`` of the most common answers in ``train``."""
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    for record in train:
        (answer,) = record.answers
        for text in beginnings(record.text):
            answers[text][answer] += 1
    right = 0
    for record in test:
        known = next(answers[text] for text in beginnings(record.text) if text in answers)
        right += known.most_common(1)[0][0] in record.answers
    return right / len(test)


def measured(data: Path) -> dict[str, dict[str, float | int]]:
    """Accuracy and number of records by set."""
    train, test = st.read_easy_vqa("train"), st.read_easy_vqa("test")
    found: dict[str, dict[str, float | int]] = {
        "easy-vqa": {"accuracy": by_question(train, test), "count": len(test)},
    }
    if (data / "daquar").is_dir():
        images = data / "daquar" / "images"
        train, test = (st.read_jsonl(data / "daquar" / f"{part}.jsonl", images) for part in ("train", "dev"))
        found["daquar"] = {"accuracy": by_question(train, test), "count": len(test)}
    if (data / "nlvr").is_dir():
        files = {"train": str(data / "nlvr" / "dev.jsonl"), "images": str(data / "nlvr" / "images")}
        config = DataConfig(name="nlvr", test_share=0.15, validation_share=0.15, **files)  # as the recipe nlvr
        test = read_parts(config, seed=0).test
        accuracy = sum(record.label or 0 for record in test) / len(test)
        found["nlvr, always true"] = {"accuracy": accuracy, "count": len(test)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    arguments = parser.parse_args()
    found = measured(arguments.data)
    for name, entry in found.items():
        print(f"{name}: {entry['accuracy']:.2%} of {entry['count']}")
    command = shlex.join(["python", "benchmarks/question_only.py", *sys.argv[1:]])
    write_json(HERE / "results" / "question_only.json", {"sets": found, "command": command})


if __name__ == "__main__":
    main()
