"""Pictures of every kind through the image store, damaged ones, worker processes and RandAugment."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from skiptune import InputError, Record, load_processor
from skiptune.data.augment import OPERATIONS, RandAugment, Varied, vary
from skiptune.data.damaged import Damaged
from skiptune.data.images import ImageStore
from skiptune.data.pictures import Stored
from skiptune.data.records import Records


@pytest.fixture(scope="module")
def processor():
    return load_processor("vilt-tiny").image_processor


@pytest.fixture
def image(tmp_path: Path) -> Path:
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    return tmp_path / "noise.png"


def test_a_picture_is_the_same_from_file_bytes_table_and_memory(tmp_path: Path, image: Path, processor) -> None:
    content = pa.table(
        {"image": [b"", image.read_bytes()], "boxed": [None, {"bytes": image.read_bytes(), "path": None}]}
    )
    with pa.OSFile(str(tmp_path / "t.arrow"), "wb") as sink, pa.ipc.new_stream(sink, content.schema) as writer:
        writer.write_table(content)
    stored = [Stored(str(tmp_path / "t.arrow"), column, 1) for column in ("image", "boxed")]
    store = ImageStore(processor)
    expected = store.pixels(image)
    for picture in (*stored, image.read_bytes(), Image.open(image)):
        assert np.array_equal(store.pixels(picture), expected)
    assert set(store._kept.pixels) == {image, *stored}
    assert store.pixels(stored[0]) is store.pixels(stored[0])
    assert [one.size() for one in stored] == [image.stat().st_size] * 2


def test_pixels_are_kept_within_the_limit(image: Path, processor) -> None:
    size = ImageStore(processor).pixels(image).nbytes
    store = ImageStore(processor, memory_limit=size)
    copy = image.with_name("copy.png")
    copy.write_bytes(image.read_bytes())
    store.pixels(image)
    store.pixels(copy)
    assert set(store._kept.pixels) == {image}


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"\x89PNG\r\n\x1a\n cut off"])
def test_damaged_images_are_replaced_counted_and_named(tmp_path: Path, image: Path, processor, content: bytes) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(content)
    with pytest.raises(InputError, match=r"broken\.jpg: cannot be read"):
        ImageStore(processor).batch([image, broken])
    damaged = Damaged(5, log=tmp_path / "logs" / "damaged.txt")
    store = ImageStore(processor, damaged=damaged)
    values = store.batch([image, broken, broken])["pixel_values"]
    assert values[1].abs().max() < 0.01
    assert values[0].abs().max() > 0.5
    assert len(damaged.problems()) == 1
    assert "broken.jpg" in damaged.problems()[0]


def test_a_cut_off_jpeg_passes_the_index_and_is_caught_later(tmp_path: Path, image: Path, processor) -> None:
    buffer = io.BytesIO()
    Image.open(image).save(buffer, "jpeg")
    (tmp_path / "cut.jpg").write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    with pytest.raises(InputError, match=r"cut\.jpg: cannot be read"):
        ImageStore(processor).pixels(tmp_path / "cut.jpg")


def test_too_many_damaged_images_end_the_run(tmp_path: Path, processor) -> None:
    store = ImageStore(processor, damaged=Damaged(1000, 0.002, tmp_path / "log.txt"))
    for number in range(2):
        store.pixels(tmp_path / f"{number}.png", place="train.jsonl, line 7")
        store.pixels(tmp_path / f"{number}.png", place="train.jsonl, line 8")
    said = r"3 of 1000 images cannot be read \(all are named in .*log\.txt\); at most 2 may be .*2\.png: no such file"
    with pytest.raises(InputError, match=said):
        store.pixels(tmp_path / "2.png")
    assert [line.endswith("; needed by train.jsonl, line 7") for line in store.damaged.problems()] == [
        True,
        True,
        False,
    ]


def test_damaged_images_of_all_processes_count_together_and_those_of_an_earlier_start_do_not(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("image old.png: no such file\n")
    first = Damaged(10, 0.2, log)
    second = pickle.loads(pickle.dumps(first))
    first.add("image a.png: no such file")
    second.add("image a.png: no such file", "line 3")
    second.add("image b.png: no such file")
    with pytest.raises(InputError, match=r"3 of 10 images .* at most 2 may be damaged"):
        first.add("image c.png: no such file")
    assert len(first.problems()) == 4


@pytest.mark.parametrize(("images", "share", "most"), [(1, None, 0), (13, None, 2), (300, None, 10), (5000, None, 50)])
def test_how_many_may_be_damaged(images: int, share: float | None, most: int) -> None:
    assert Damaged(images, share).most == most
    assert Damaged(100, 0.07).most == 7


class Collate:
    """What a task's collator does with images, as workers see it."""

    def __init__(self, store: ImageStore) -> None:
        self.store = store

    def __call__(self, records: list[Record]) -> torch.Tensor:
        return self.store.batch([record.image for record in records])["pixel_values"]


def test_workers_read_the_same_pixels(tmp_path: Path, image: Path, processor) -> None:
    content = pa.table({"image": [image.read_bytes()]})
    with pa.OSFile(str(tmp_path / "t.arrow"), "wb") as sink, pa.ipc.new_file(sink, content.schema) as writer:
        writer.write_table(content)
    pictures = [image, Stored(str(tmp_path / "t.arrow"), "image", 0), tmp_path / "missing.png"]
    damaged = Damaged(5, log=tmp_path / "damaged.txt")
    collate = Collate(ImageStore(processor, damaged=damaged))
    records = Records.of([Record(picture, "q?") for picture in pictures])
    collate.store.pixels(image)
    collate, sent = pickle.loads(pickle.dumps((collate, records)))  # what a spawned worker gets
    assert not collate.store._kept.pixels
    loader = DataLoader(sent, batch_size=1, num_workers=2, collate_fn=collate, multiprocessing_context="fork")
    found = list(loader)
    for values, record in zip(found, records, strict=True):
        assert torch.equal(values, collate([record]))
    assert len(damaged.problems()) == 1
    assert not collate.store._kept.pixels.keys() - set(pictures)


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_every_operation_changes_an_image_and_keeps_its_form(image: Path, name: str) -> None:
    given = Image.fromarray(np.asarray(Image.open(image)) // 2 + 30)
    changed = OPERATIONS[name](given, 0.5, 1.0)
    assert (changed.size, changed.mode) == (given.size, "RGB")
    assert not np.array_equal(np.asarray(changed), np.asarray(given))
    if name not in ("auto_contrast", "equalize"):
        assert np.array_equal(np.asarray(OPERATIONS[name](given, 0.0, 1.0)), np.asarray(given))


def test_augmentation_follows_its_draw_and_no_global_generator(image: Path, processor) -> None:
    record = Record(image, "q?", image2=image)
    store, policy = ImageStore(processor), RandAugment(2, 9, seed=3)
    plain = store.pixels(image)
    state = np.random.get_state()[1].copy()
    drawn = {epoch: [store.pixels(one) for one in vary(record, policy, epoch, 7).images] for epoch in range(4)}
    assert np.array_equal(np.random.get_state()[1], state)
    assert all(array.shape == plain.shape and array.dtype == np.uint8 for pair in drawn.values() for array in pair)
    again = store.pixels(vary(record, policy, 2, 7).image)
    assert np.array_equal(again, drawn[2][0])
    assert len({array.tobytes() for pair in drawn.values() for array in pair}) >= 6
    assert set(store._kept.pixels) == {image}
    assert np.array_equal(store.pixels(image), plain)
    other = store.pixels(Varied(image, RandAugment(2, 9, seed=4), (2, 7, 0)))
    assert not np.array_equal(other, again)
    assert vary(Record(image), policy, 0, 0).image2 is None


def test_augmentation_settings_are_checked() -> None:
    with pytest.raises(InputError, match=r"n: 0(.|\n)*m: 31"):
        RandAugment(0, 31)
