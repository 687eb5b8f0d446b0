"""Rules that see no image: the most frequent answer, the question alone, and chance; and the terms of a headline."""

from __future__ import annotations

import statistics
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from skiptune import Record, Vqa, evaluate, load_processor
from skiptune.core.measurements import Measured
from skiptune.tasks.classification import Classification
from skiptune.tasks.entailment import Entailment
from skiptune.tasks.ranking import Ranks
from skiptune.tasks.recall import chance_terms, recall_terms
from skiptune.tasks.regression import Regression
from skiptune.tasks.retrieval_config import RANKS


def asked(text: str, *answers: str) -> Record:
    return Record(Path("a.png"), text, {answer: 1 / (place + 1) for place, answer in enumerate(answers)})


def test_the_most_frequent_answer_and_the_question_alone() -> None:
    train = [asked("How many?", "2"), asked("how many", "2"), asked("how  many ?", "3", "2"), *[asked("Who?", "a")] * 4]
    task = Vqa(load_processor("vilt-tiny"), ["2", "3", "a"])
    test = [asked("how many?", "3", "2"), asked("Who?", "a"), asked("Where?", "a"), asked("Where?"), asked("Who?", "b")]
    assert task.priors(train, test) == {
        "most_frequent": (0.0, 1.0, 1.0, 0.0),  # a; one record has no known answer
        "text_alone": (0.5, 1.0, 1.0, 0.0),
    }
    one_text = [asked("Who?", "a"), asked("who", "2")]
    assert list(task.priors(one_text, test)) == ["most_frequent"]


def test_labels_have_a_most_frequent_one() -> None:
    task = Entailment(load_processor("vilt-tiny"))
    train = [Record(Path("a.png"), text, label=label) for text, label in (("x", 2), ("x", 2), ("y", 0))]
    test = [Record(Path("b.png"), text, label=label) for text, label in (("x", 2), ("y", 0), ("z", 2))]
    assert task.priors(train, test) == {"most_frequent": (1.0, 0.0, 1.0), "text_alone": (1.0, 1.0, 1.0)}


def test_classes_sets_of_labels_and_numbers_have_a_usual_one() -> None:
    processor, image = load_processor("vilt-tiny"), Path("a.png")
    one = [Record(image, label=label) for label in ("cat", "cat", "dog")]
    assert Classification.from_records(processor, one).priors(one, one) == {"most_frequent": (1.0, 1.0, 0.0)}
    given: list[dict[str, float]] = [{"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 1.0}, {"a": 1.0}, {}]
    several = [Record(image, labels=labels) for labels in given]
    task = Classification.from_records(processor, several)
    assert task.priors(several, several)["most_frequent"] == pytest.approx((1, 1, 2 / 3, 0))
    numbers = [Record(image, text, value=value) for text, value in (("x", 1.0), ("x", 3.0), ("y", 8.0))]
    found = Regression.from_records(processor, numbers).priors(numbers, numbers)
    assert statistics.fmean(found["mean_value"]) == pytest.approx(0)
    assert statistics.fmean(found["text_alone"]) == pytest.approx(1 - 2 / 26)


def test_terms_of_recall_have_its_mean() -> None:
    generator = np.random.default_rng(0)
    owner = np.array([0, 0, 0, 1, 2, 2, 3])
    texts_ahead, images_ahead = generator.integers(0, 11, 4), generator.integers(0, 11, 7)
    recalls = [(ahead < rank).mean() for ahead in (texts_ahead, images_ahead) for rank in RANKS]
    assert statistics.fmean(recall_terms(texts_ahead, images_ahead, owner)) == pytest.approx(np.mean(recalls))


def test_chance_is_the_mean_over_all_orders() -> None:
    owner = np.array([0, 0, 1])
    found = []
    for order in permutations(range(3)):
        for places in permutations(range(2)):
            of_texts, of_images = Ranks(2, max(RANKS)), Ranks(3, max(RANKS))
            own = owner[None] == np.arange(2)[:, None]
            of_texts.add(slice(0, 2), np.array([order, order], dtype=float), own)
            of_images.add(slice(0, 3), np.array([places] * 3, dtype=float), own.T)
            found.append(statistics.fmean(recall_terms(of_texts.ahead(), of_images.ahead(), owner)))
    assert statistics.fmean(chance_terms([2, 1])) == pytest.approx(statistics.fmean(found))


def test_an_evaluation_carries_its_interval(make_model, task: Vqa, records: list[Record]) -> None:
    found = evaluate(make_model(), task, records[:12])
    assert statistics.fmean(found.headline_terms) == pytest.approx(found.headline)
    low, high = found.interval
    assert 0 <= low <= found.headline <= high <= 1
    assert found.summary()["interval"] == found.interval


def test_numbers_have_no_interval_of_shares() -> None:
    assert Measured.from_dict({"r2": 0.0, "count": 12}).interval_of("r2") is None
    assert Measured.from_dict({"accuracy": 0.0, "count": 12}).interval_of("accuracy") is not None
