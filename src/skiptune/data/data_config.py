"""The section ``data`` of a recipe: where each part is read from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from ..core.validated import Count, Number, Several, Text, Validated
from .readers.formats import SOURCES, Files, Format

PARTS = ("train", "validation", "test")
#: The set that comes with a package of its own and needs no files.
EmbeddedSet = Literal["easy-vqa"]
EMBEDDED_SET: EmbeddedSet = "easy-vqa"
#: Fields of a part beside its path; those of the other parts begin with the part's name.
_FILES = ("images", "annotations", "split")
#: Part → the split of it that a Karpathy file has.
_KARPATHY = {"train": "train", "validation": "val", "test": "test"}

Paths = Annotated[Text | Annotated[Several[Text], Field(min_length=1)], Field(description="a path")]
Share = Annotated[Number, Field(gt=0, lt=1, description="between 0 and 1")]


def field_of(part: str, entry: str) -> str:
    """The name of the field ``entry`` (``images``, ``split``, …) of a part."""
    return entry if part == "train" else f"{part}_{entry}"


#: Fields that are paths.
PATHS = (*PARTS, *(field_of(part, entry) for part in PARTS for entry in ("images", "annotations")))
_ENTRIES = {field_of(part, entry): entry for part in PARTS for entry in _FILES}


class DataConfig(Validated):
    """Where the records come from.

    Attributes:
        name: ``easy-vqa`` for the embedded set, else the format of the files: ``jsonl`` or ``csv`` for your own,
            ``vqav2``, ``nlvr2``, ``nlvr``, ``karpathy``, ``snli-ve``, ``arrow`` (tables of the released ViLT and METER
            code), ``imagefolder`` (a folder of images with a folder for every class), ``dataset`` (a Hugging Face
            dataset on disk), or conversations as other tools write them: ``messages`` (Hugging Face, TRL), ``llava``,
            ``sharegpt`` (LLaMA-Factory) or ``swift`` (ms-swift).
        train: the file (for ``arrow`` also a list of them) or folder of the training records; a ``karpathy`` file holds
            all parts.
        images: folder of the training images; also of the others unless they name their own.
        annotations: of ``vqav2``.
        split: of the training records, where the file has several.
        validation, validation_images, validation_annotations, validation_split: the same for the validation part;
            without ``validation``, ``validation_share`` of the training images is cut off.
        validation_share: share of the *images* held out.
        test, test_images, test_annotations, test_split: the same for the test part, which is used once, at the end.
        reserved_share: without a test part, this share of the validation *images* is kept from the search as a part
            ``reserved``, because the plan is chosen on validation; the number to report is measured on it. Nothing is
            kept where fewer than 10 images would be left on either side. ``None``: no such part.
        test_share: without ``test``, such a share of the training images is cut off for it, before validation's and
            the same whatever the seed; ``None``: there is no test part.
        columns: of ``jsonl``, ``csv``, ``dataset`` and conversations: our field → the file's, only for fields with
            another name there.
        most_bad: share of unusable rows above which a file is refused; ``None``: 1 % of published sets, 20 % of others.
        exif_orientation: turn images as their EXIF orientation says. ``false`` reads published sets as their authors'
            code did, which did not turn them. It is saved with the model's image processor.
        max_train, max_validation, max_test: use only that many records of a part, drawn at random. Recall is measured
            over all pairs of an image and a text, so its time grows with the square.
        least_answer_count: answers given less often are not in the vocabulary; 9 is usual for VQAv2. Counted in
            training alone, so that held-out answers do not leak; for ``vqav2`` also in a ``validation`` file, as is
            usual for the 3,129 labels. Tables of ``arrow`` that carry labels were counted already.
    """

    name: Literal[EmbeddedSet, Format] = EMBEDDED_SET
    train: Paths | None = None
    images: Text | None = None
    annotations: Text | None = None
    split: Text | None = None
    validation: Paths | None = None
    validation_images: Text | None = None
    validation_annotations: Text | None = None
    validation_split: Text | None = None
    validation_share: Share = 0.1
    test: Paths | None = None
    test_images: Text | None = None
    test_annotations: Text | None = None
    test_split: Text | None = None
    test_share: Share | None = None
    columns: dict[str, str] = Field(default={}, description="a mapping from our field to a column")
    most_bad: Number | None = Field(default=None, ge=0, le=1, description="a share between 0 and 1")
    exif_orientation: bool = True
    reserved_share: Share | None = 0.5
    max_train: Count | None = None
    max_validation: Count | None = None
    max_test: Count | None = None
    least_answer_count: Count = 1

    @field_validator(*PARTS, *_ENTRIES, "columns")
    @classmethod
    def _of_the_format(cls, value: Any, info: ValidationInfo) -> Any:
        """Check that the fields which the format needs are given, and no others."""
        name, entry = info.data.get("name"), _ENTRIES.get(str(info.field_name), str(info.field_name))
        if name == EMBEDDED_SET and value:
            raise ValueError("files are read with another name, e.g. jsonl")
        if name not in SOURCES:
            return value
        source = SOURCES[str(name)]
        if value is None and (entry == "train" or (info.field_name in source.needs and entry != "split")):
            raise ValueError(f"missing; name: {name} needs it")  # Karpathy's parts have split names of their own
        if entry in PARTS and isinstance(value, tuple) and name != "arrow":
            raise ValueError("several files are read with name: arrow only")
        if value and entry not in (*PARTS, *source.needs, *source.takes):
            raise ValueError(f"not used by name: {name}; leave it out")
        return value

    @field_validator("test_share")
    @classmethod
    def _no_other_test(cls, share: float | None, info: ValidationInfo) -> float | None:
        if share is not None:
            if given := [name for name in ("test", "test_split") if info.data.get(name)]:
                raise ValueError(f"there is {' and '.join(given)} already; leave one of them out")
            if (name := info.data.get("name")) in (EMBEDDED_SET, "karpathy"):
                raise ValueError(f"name: {name} has a test part of its own; leave it out")
        return share

    def files(self, part: str, log: Path | None) -> Files | None:
        """The files of ``part``, or ``None`` if it is not given."""
        path, split = getattr(self, part), getattr(self, field_of(part, "split"))
        if self.name == "karpathy":
            path, split = path or self.train, split or _KARPATHY[part]
        if path is None and split is not None:
            path = self.train
        if path is None:
            return None
        return Files(
            path=(path,) if isinstance(path, str) else tuple(path),
            images=getattr(self, field_of(part, "images")) or self.images,
            annotations=getattr(self, field_of(part, "annotations")),
            split=split,
            columns=self.columns,
            log=None if log is None else log / f"bad-{part}.log",
            most_bad=self.most_bad,
        )
