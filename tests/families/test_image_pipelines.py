"""From image files to what a model gets, compared with the authors' transforms, written with Pillow alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from transformers.models.bridgetower.image_processing_pil_bridgetower import BridgeTowerImageProcessorPil

from skiptune import Record, Vqa, load_processor
from skiptune.families.meter.configuration import MeterConfig
from skiptune.families.meter.processing import MeterImageProcessor, MeterProcessor, image_processor
from skiptune.tasks.task import Task

#: Width and height; differences to the square of every kind, also odd ones, and ones smaller and larger than a model's.
SIZES = ((500, 375), (375, 500), (333, 500), (64, 64), (61, 97), (384, 387), (391, 384), (900, 300), (300, 900))
CLIP = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
HALVES = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(0)
    paths = []
    for number, (width, height) in enumerate(SIZES):
        coarse = generator.integers(0, 256, (height // 9 + 1, width // 9 + 1, 3), dtype=np.uint8)
        path = folder / f"{number}.{'png' if number % 2 else 'jpg'}"
        Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR).save(path)
        paths.append(path)
    return paths


def normalised(image: Image.Image, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    values = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1) / 255
    return (values - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]


def meter(path: Path, side: int) -> Tensor:
    """METER's ``clip_transform``: torchvision's Resize(side, bicubic), CenterCrop(side), ToTensor, Normalize."""
    image = Image.open(path).convert("RGB")
    width, height = image.size
    short, long = min(width, height), max(width, height)
    longer = int(side * long / short)
    new = (side, longer) if width <= height else (longer, side)
    resized = image.resize(new, Image.Resampling.BICUBIC)
    left, top = (round((whole - side) / 2.0) for whole in new)
    return normalised(resized.crop((left, top, left + side, top + side)), *CLIP)


def vilt(path: Path, side: int) -> Tensor:
    """ViLT's ``pixelbert_transform``: MinMaxResize(side, 1333/800 side), ToTensor, Normalize."""
    image = Image.open(path).convert("RGB")
    width, height = image.size
    shorter, longest = side, int(1333 / 800 * side)
    scale = shorter / min(width, height)
    new_height, new_width = (shorter, scale * width) if height < width else (scale * height, shorter)
    if max(new_height, new_width) > longest:
        scale = longest / max(new_height, new_width)
        new_height, new_width = scale * new_height, scale * new_width
    rows, columns = (int(value + 0.5) // 32 * 32 for value in (new_height, new_width))
    return normalised(image.resize((columns, rows), Image.Resampling.BICUBIC), *HALVES)


def batch(task: Task, paths: list[Path]) -> dict[str, Tensor]:
    return task.collate([Record(path, "what is it?", {"a": 1.0}) for path in paths])


def padded(images: list[Tensor]) -> tuple[Tensor, Tensor]:
    height, width = (max(image.shape[axis] for image in images) for axis in (1, 2))
    values, mask = torch.zeros(len(images), 3, height, width), torch.zeros(len(images), height, width, dtype=torch.long)
    for number, image in enumerate(images):
        values[number, :, : image.shape[1], : image.shape[2]] = image
        mask[number, : image.shape[1], : image.shape[2]] = 1
    return values, mask


def test_meter_keeps_the_middle(pictures: list[Path]) -> None:
    found = batch(Vqa(load_processor("meter-b16"), ["a", "b"]), pictures)
    expected = torch.stack([meter(path, 384) for path in pictures])
    torch.testing.assert_close(found["pixel_values"], expected, rtol=0, atol=1e-6)
    assert "pixel_mask" not in found


@pytest.mark.parametrize("side", [288, 160])
def test_converted_checkpoints_of_other_sizes_do_too(side: int, pictures: list[Path]) -> None:
    processor = load_processor("meter-b16")
    processor.image_processor = image_processor(MeterConfig(), side)
    found = batch(Vqa(processor, ["a", "b"]), pictures)
    expected = torch.stack([meter(path, side) for path in pictures])
    torch.testing.assert_close(found["pixel_values"], expected, rtol=0, atol=1e-6)


def test_settings_that_a_model_saved_decide(pictures: list[Path], tmp_path: Path) -> None:
    """Models of earlier versions were trained on squashed images."""
    for name, side in (("squashed", 96), ("cropped", 96)):
        tokenizer = load_processor("meter-b16").tokenizer
        images = image_processor(MeterConfig(), side)
        made = MeterProcessor(images, tokenizer) if name == "cropped" else MeterProcessor.square(side, tokenizer)
        made.save_pretrained(tmp_path / name)
        read = MeterProcessor(MeterImageProcessor.from_pretrained(tmp_path / name), tokenizer)
        found = batch(Vqa(read, ["a", "b"]), pictures)["pixel_values"]
        if name == "cropped":
            expected = [meter(path, side) for path in pictures]
        else:
            whole = (Image.open(path).resize((side, side), Image.Resampling.BICUBIC) for path in pictures)
            expected = [normalised(image, *CLIP) for image in whole]
        torch.testing.assert_close(found, torch.stack(expected), rtol=0, atol=1e-6)


def test_the_embedded_photo_model_squashes_as_it_was_trained() -> None:
    pytest.importorskip("skiptune_photos")
    images = load_processor("meter-photos").image_processor
    assert not images.do_center_crop
    assert (images.size["height"], images.size["width"]) == (160, 160)


def test_long_pictures_take_little_memory(tmp_path: Path) -> None:
    task = Vqa(load_processor("meter-b16"), ["a", "b"])
    for size in ((20_000, 1), (1, 20_000), (40_000, 3)):
        Image.new("RGB", size, (200, 100, 50)).save(tmp_path / "long.png")
        found = batch(task, [tmp_path / "long.png"])["pixel_values"]
        expected = normalised(Image.new("RGB", (384, 384), (200, 100, 50)), *CLIP)
        torch.testing.assert_close(found[0], expected, rtol=0, atol=1e-6)


def test_vilt_floors_to_patches_and_fills_up_the_batch(pictures: list[Path]) -> None:
    found = batch(Vqa(load_processor("vilt-b32"), ["a", "b"]), pictures)
    values, mask = padded([vilt(path, 384) for path in pictures])
    torch.testing.assert_close(found["pixel_values"], values, rtol=0, atol=1e-6)
    assert torch.equal(found["pixel_mask"], mask)


def test_bridgetower_is_transformers_own(pictures: list[Path]) -> None:
    found = batch(Vqa(load_processor("bridgetower-base"), ["a", "b"]), pictures)
    theirs = BridgeTowerImageProcessorPil()
    images = [Image.open(path).convert("RGB") for path in pictures]
    expected = [theirs(image, return_tensors="pt")["pixel_values"][0] for image in images]
    torch.testing.assert_close(found["pixel_values"], torch.stack(expected), rtol=0, atol=1e-6)
