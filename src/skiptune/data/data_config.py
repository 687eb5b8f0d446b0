"""What a recipe says of its data: where each part is read from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..config import Config
from ..core.validation import Problems, is_number, is_text, nearest
from .readers.formats import SOURCES, Files

PARTS = ("train", "validation", "test")


_EMBEDDED = "easy-vqa"


#: Fields of a part beside its path; those of the other parts begin with the part's name.
_FILES = ("images", "annotations", "split")


#: Part → the split of it that a Karpathy file has.
_KARPATHY = {"train": "train", "validation": "val", "test": "test"}


@dataclass(frozen=True)
class DataConfig(Config):
    """Where the records come from.

    Attributes:
        name: ``easy-vqa`` for the embedded set, else the format of the files: ``jsonl`` for one's own, ``vqav2``,
            ``nlvr2``, ``nlvr``, ``karpathy``, ``snli-ve``, ``arrow`` (tables of the released ViLT and METER code) or
            ``dataset`` (a Hugging Face dataset on disk).
        train: the file (for ``arrow`` also a list of them) or folder of the training records; a ``karpathy`` file holds
            all parts.
        images: folder of the training images; also of the others unless they name their own.
        annotations: of ``vqav2``.
        split: of the training records, where the file has several.
        validation, validation_images, validation_annotations, validation_split: the same of the validation part;
            without ``validation``, ``validation_share`` of the training images is cut off.
        validation_share: share of the *images* held out.
        test, test_images, test_annotations, test_split: the same of the part that is touched once, at the end.
        test_share: without ``test``, such a share of the training images is cut off for it, before validation's and
            the same whatever the seed; ``None``: there is no test part.
        columns: our field → the ``dataset``'s column, for those named otherwise.
        most_bad: share of unusable rows above which a file is refused; ``None``: 1 % of published sets, 20 % of others.
        max_train, max_validation, max_test: use only that many records of a part, drawn at random. Recall is measured
            over all pairs of an image and a text, so its time grows with the square.
        least_answer_count: answers given less often are not in the vocabulary; 9 is usual for VQAv2. Counted in
            training alone, so that held-out answers do not leak; for ``vqav2`` also in a ``validation`` file, as is
            usual for the 3,129 labels. Tables of ``arrow`` that carry labels were counted already.
    """

    name: str = _EMBEDDED
    train: str | Sequence[str] | None = None
    images: str | None = None
    annotations: str | None = None
    split: str | None = None
    validation: str | Sequence[str] | None = None
    validation_images: str | None = None
    validation_annotations: str | None = None
    validation_split: str | None = None
    validation_share: float = 0.1
    test: str | Sequence[str] | None = None
    test_images: str | None = None
    test_annotations: str | None = None
    test_split: str | None = None
    test_share: float | None = None
    columns: dict[str, str] = field(default_factory=dict)
    most_bad: float | None = None
    max_train: int | None = None
    max_validation: int | None = None
    max_test: int | None = None
    least_answer_count: int = 1

    def validate(self, problems: Problems) -> None:
        names = (_EMBEDDED, *SOURCES)
        problems.check(self.name in names, f"name: {self.name!r}{nearest(str(self.name), names)}")
        for part in PARTS:
            self._check_path(problems, part)
        texts = [name for part in PARTS for name in (self._field(part, entry) for entry in _FILES)]
        for name in texts:
            value = getattr(self, name)
            problems.check(value is None or is_text(value), f"{name}: {value!r} is not a text")
        columns = self.columns
        good = isinstance(columns, dict) and all(isinstance(text, str) for pair in columns.items() for text in pair)
        problems.check(good, f"columns: {columns!r} is not a mapping from our field to a column")
        if self.name == _EMBEDDED:
            given = [name for name in (*PARTS, *texts, "columns") if getattr(self, name)]
            problems.check(not given, f"{', '.join(given)}: files are read with another name, e.g. jsonl")
        elif self.name in tuple(SOURCES):
            self._check_fields(problems)
        self._check_shares(problems)
        bad = self.most_bad
        problems.check(bad is None or is_number(bad, 0, 1), f"most_bad: {bad!r} is not a share between 0 and 1")
        for name in (*(f"max_{part}" for part in PARTS), "least_answer_count"):
            value = getattr(self, name)
            ok = (value is None and name != "least_answer_count") or is_number(value, 1, whole=True)
            problems.check(ok, f"{name}: {value!r} is not a whole number ≥ 1")

    def _check_shares(self, problems: Problems) -> None:
        for name in ("validation_share", "test_share"):
            share = getattr(self, name)
            good = is_number(share, 0, 1) and 0 < share < 1
            good = good or (name == "test_share" and share is None)
            problems.check(good, f"{name}: {share!r} is not between 0 and 1")
        if self.test_share is None:
            return
        given = [name for name in ("test", "test_split") if getattr(self, name)]
        problems.check(not given, f"test_share: there is {' and '.join(given)} already; leave one of them out")
        own = self.name in (_EMBEDDED, "karpathy")
        problems.check(not own, f"test_share: name: {self.name} has a test part of its own; leave it out")

    def _check_path(self, problems: Problems, part: str) -> None:
        value = getattr(self, part)
        several = isinstance(value, list | tuple) and bool(value) and all(map(is_text, value))
        problems.check(value is None or is_text(value) or several, f"{part}: {value!r} is not a path")
        if several and self.name != "arrow":
            problems.add(f"{part}: several files are read with name: arrow only")

    def _check_fields(self, problems: Problems) -> None:
        """What the format needs is there, and nothing is given that it does not read."""
        source = SOURCES[self.name]
        problems.check(self.train is not None, f"train: missing; name: {self.name} needs it")
        for name in source.needs:
            given = name == "split" or getattr(self, name) is not None  # Karpathy's parts have names of their own
            problems.check(given, f"{name}: missing; name: {self.name} needs it")
        for entry in (*_FILES, "columns"):
            if entry in (*source.needs, *source.takes):
                continue
            names = ["columns"] if entry == "columns" else [self._field(part, entry) for part in PARTS]
            for name in names:
                problems.check(not getattr(self, name), f"{name}: not used by name: {self.name}; leave it out")

    @staticmethod
    def _field(part: str, entry: str) -> str:
        return entry if part == "train" else f"{part}_{entry}"

    def files(self, part: str, log: Path | None) -> Files | None:
        """What ``part`` is read from, or ``None`` if it is not given."""
        path, split = getattr(self, part), getattr(self, self._field(part, "split"))
        if self.name == "karpathy":
            path, split = path or self.train, split or _KARPATHY[part]
        if path is None and split is not None:
            path = self.train
        if path is None:
            return None
        return Files(
            path=(path,) if isinstance(path, str) else tuple(path),
            images=getattr(self, self._field(part, "images")) or self.images,
            annotations=getattr(self, self._field(part, "annotations")),
            split=split,
            columns=self.columns,
            log=None if log is None else log / f"bad-{part}.log",
            most_bad=self.most_bad,
        )
