"""What two parts share: images, rows, texts."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

from .answer_checks import Answers
from .finding import Findings
from .repeats import Repeats

#: The share of rows whose texts repeat within a part, from which on texts in two parts say nothing: questions are made
#: from templates.
_USUAL = 0.1


def compare_parts(parts: Mapping[str, Repeats], findings: Findings) -> None:
    """Tell of images, rows without images, and texts that are in two parts."""
    for first, second in combinations(parts, 2):
        one, other, both = parts[first], parts[second], f"{first}, {second}"
        for key, place in other.images.items():
            if key in one.images:
                findings.add("shared_images", both, place, f"in {second}; in {first} the image is in {one.images[key]}")
        for row in other.without_image:
            if row in one.without_image:
                findings.add("shared_rows", both, other.rows[row], f"in {second}; in {first} it is {one.rows[row]}")
        findings.looked_at(["shared_images"], both, len(other.images))
        findings.looked_at(["shared_rows", "shared_texts"], both, other.count)
        if all(len(part.texts) >= (1 - _USUAL) * part.count for part in (one, other)):
            told = {other.rows[row] for row in other.without_image}
            for text, place in other.texts.items():
                if text in one.texts and place not in told:
                    findings.add(
                        "shared_texts", both, place, f"in {second}; in {first} these texts are in {one.texts[text]}"
                    )


def compare_labels(parts: Mapping[str, Answers], findings: Findings) -> None:
    """Tell of labels that held-out parts have and training does not."""
    known = parts["train"].labels if "train" in parts else {}
    for name, part in parts.items() if known else ():
        for label, place in part.labels.items():
            if label not in known:
                findings.add("unseen_label", name, place, f"no training row has the label {label!r}")
