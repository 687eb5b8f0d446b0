"""Pictures of every kind: formats, limits, greys, transparency, orientation, proportions."""

from __future__ import annotations

import ast
import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from skiptune import InputError, load_processor
from skiptune.data.images import ImageStore
from skiptune.data.picture_files import MOST_PIXELS
from skiptune.data.pictures import Stored, decode, image_problem
from skiptune.running.recipe import Recipe

SOURCE = Path(__file__).parents[2] / "src" / "skiptune"
CASES = Path(__file__).parents[3] / "shared" / "cases" / "1_images"
#: A red square on a transparent ground, whose hidden colour differs.
PATTERN = np.indices((20, 30)).sum(0) % 5 == 0


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def png(width: int, height: int, depth: int, kind: int, rows: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG by hand, for what Pillow does not write."""
    header = struct.pack(">2I5B", width, height, depth, kind, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    body = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def array(picture: Any, **options: Any) -> np.ndarray:
    return np.asarray(decode(picture, **options))


def ramp() -> np.ndarray:
    return np.arange(256, dtype=np.uint8).reshape(16, 16)


def with_tags(tiff: bytes, changes: dict[int, tuple[int, int | None]]) -> bytes:
    """A TIFF with some tags renamed and, where a value is given, of another value."""
    content = bytearray(tiff)
    (start,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, start)
    for place in range(start + 2, start + 2 + 12 * count, 12):
        (tag,) = struct.unpack_from("<H", content, place)
        if tag in changes:
            name, value = changes[tag]
            struct.pack_into("<H", content, place, name)
            if value is not None:
                struct.pack_into("<HII", content, place + 2, 4, 1, value)
    return bytes(content)


# What may be opened ---------------------------------------------------------------------------------------------------


def test_one_place_opens_pictures() -> None:
    opening = {}
    for path in SOURCE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        plugins = {
            node.module
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and "ImagePlugin" in str(node.module)
        }
        if plugins or {"Image.open", "PIL.Image.open", "imread", "plt.imread"} & calls or "ImageFile" in names:
            opening[path.relative_to(SOURCE).as_posix()] = "Image.open" in calls
    assert opening == {"data/picture_files.py": False}


@pytest.mark.parametrize(
    "content",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(x) (w) file\n",
        b"\xc5\xd0\xd3\xc6" + bytes(40),
        b"%PDF-1.7\n",
        b"\xd7\xcd\xc6\x9a" + bytes(40),
        b"P6 1 1 255 abc",
        b"<svg/>",
        b"\0\0\1\0\1\0" + bytes(30),
        b"",
    ],
)
def test_other_content_than_pictures_is_refused_whatever_its_name(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(*arguments: Any, **options: Any) -> None:
        raise AssertionError("a program was started")

    for name in ("subprocess.Popen.__init__", "os.system", "subprocess.call", "subprocess.check_call"):
        monkeypatch.setattr(name, started)
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.png: cannot be read \((not JPEG|empty)"):
        decode(tmp_path / "a.png")
    assert "a.png" in image_problem(tmp_path / "a.png")
    with pytest.raises(InputError, match="in memory"):
        decode(content)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "MPO"])
def test_usual_formats_open_at_their_first_frame(form: str) -> None:
    first, second = Image.new("RGB", (40, 20), (200, 30, 30)), Image.new("RGB", (40, 20), (30, 30, 200))
    several = {"save_all": True, "append_images": [second]} if form in ("GIF", "WEBP", "TIFF", "PNG", "MPO") else {}
    found = array(encoded(first, form, **several))
    assert found.shape == (20, 40, 3)
    assert abs(found.mean((0, 1)) - (200, 30, 30)).max() < 4


@pytest.mark.parametrize("kind", ["png", "bmp", "gif", "frame of a gif", "tiff", "tile of a tiff", "webp", "memory"])
def test_pictures_too_large_are_refused_before_they_are_decoded(kind: str, tmp_path: Path) -> None:
    side = 12_000
    assert side**2 > MOST_PIXELS > 8_000**2
    small = Image.new("L", (8, 8))
    content: Any
    if kind == "png":
        content = png(side, side, 8, 0, b"\0")
    elif kind == "bmp":
        content = bytearray(encoded(small, "BMP"))
        struct.pack_into("<2i", content, 18, side, side)
    elif kind.endswith("gif"):
        content = bytearray(encoded(small, "GIF"))
        place = 6 if kind == "gif" else content.index(b",\0\0\0\0") + 5
        struct.pack_into("<2H", content, place, side, side)
    elif kind == "tiff":
        content = with_tags(encoded(small, "TIFF"), {256: (256, side), 257: (257, side)})
    elif kind == "tile of a tiff":
        content = with_tags(encoded(small, "TIFF"), {273: (324, None), 278: (322, side), 279: (323, side)})
    elif kind == "webp":
        content = bytearray(encoded(small, "WEBP", lossless=True))
        place = content.index(b"VP8L") + 9
        struct.pack_into("<I", content, place, side - 1 | side - 1 << 14)
    else:
        content = Image.new("1", (side, side))
    with pytest.raises(InputError, match=r"in memory: cannot be read \(12,000 × 12,000 pixels; at most 67,108,864"):
        decode(content if kind == "memory" else bytes(content))
    if kind == "png":
        (tmp_path / "a.png").write_bytes(content)
        assert "12,000" in image_problem(tmp_path / "a.png")


def test_bombs_in_metadata_are_a_sentence() -> None:
    text = PngInfo()
    text.add_text("comment", "x" * 3_000_000, zip=True)
    with pytest.raises(InputError, match="cannot be read"):
        decode(encoded(Image.new("RGB", (8, 8)), pnginfo=text))


def test_a_pipe_is_no_picture(tmp_path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("no pipes here")
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(InputError, match="not a file"):
        decode(tmp_path / "a.png")


# Eight bits on white --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["I;16", "I;16B", "I;16 tiff", "shifted", "I", "I small", "F", "F 255", "F overshoot"])
def test_greys_of_more_bits_are_scaled(case: str) -> None:
    grey = ramp()
    wide = grey.astype(np.uint16) * 257
    given: Any = {
        "I;16": lambda: encoded(Image.fromarray(wide)),
        "I;16B": lambda: Image.frombytes("I;16B", (16, 16), wide.astype(">u2").tobytes()),
        "I;16 tiff": lambda: encoded(Image.fromarray(wide), "TIFF"),
        "shifted": lambda: encoded(Image.fromarray(grey.astype(np.uint16) << 8)),
        "I": lambda: Image.fromarray(wide.astype(np.int32)),
        "I small": lambda: encoded(Image.fromarray(grey.astype(np.int32)), "TIFF"),
        "F": lambda: encoded(Image.fromarray(grey.astype(np.float32) / 255), "TIFF"),
        "F 255": lambda: Image.fromarray(grey.astype(np.float32)),
        "F overshoot": lambda: Image.fromarray((grey.astype(np.float32) / 255 - 0.5) * 1.1 + 0.5),
    }[case]()
    found = array(given)
    if case == "F overshoot":
        grey = ((ramp().astype(np.float32) / 255 - 0.5) * 280.5 + 127.5).clip(0, 255).round().astype(np.uint8)
    assert np.array_equal(found, np.repeat(grey[..., None], 3, 2))


@pytest.mark.parametrize("values", [[-300.0, 1.0], [0.0, 70_000.0], [0.0, float("nan")], [0.0, float("inf")]])
def test_greys_out_of_range_are_refused(values: list[float]) -> None:
    with pytest.raises(InputError, match="greys from"):
        decode(Image.fromarray(np.array([values], dtype=np.float32)))
    with pytest.raises(InputError, match=r"greys from 0 to 70000; expected 0 to 255 or 0 to 65535"):
        decode(Image.fromarray(np.array([[0, 70_000]], dtype=np.int32)))


def transparent(case: str) -> Any:
    """The pattern in red where it is opaque; where it is not, some hidden colour."""
    alpha = np.where(PATTERN, 255, 0).astype(np.uint8)
    rgba = np.dstack([np.where(PATTERN, 255, 7), np.where(PATTERN, 0, 90), np.zeros_like(alpha), alpha]).astype(
        np.uint8
    )
    index = Image.fromarray(PATTERN.astype(np.uint8)).convert("P")
    index.putpalette([7, 90, 0, 255, 0, 0])
    opaque = Image.fromarray(rgba[..., :3])
    return {
        "RGBA": lambda: encoded(Image.fromarray(rgba)),
        "WEBP": lambda: encoded(Image.fromarray(rgba), "WEBP", lossless=True, exact=True),
        "TIFF": lambda: encoded(Image.fromarray(rgba), "TIFF"),
        "memory": lambda: Image.fromarray(rgba),
        "premultiplied": lambda: Image.fromarray(rgba).convert("RGBa"),
        "palette, number": lambda: encoded(index, transparency=0),
        "palette, bytes": lambda: encoded(index, transparency=b"\x00\xff"),
        "GIF": lambda: encoded(index, "GIF", transparency=0),
        "RGB with a colour": lambda: encoded(opaque, transparency=(7, 90, 0)),
        "RGB of 16 bits": lambda: png(
            *(30, 20, 16, 2),
            b"".join(b"\0" + row.tobytes() for row in (rgba[..., :3].astype(np.uint16) * 257).astype(">u2")),
            (b"tRNS", struct.pack(">3H", 7 * 257, 90 * 257, 0)),
        ),
    }[case]()


@pytest.mark.parametrize(
    "case",
    [
        *("RGBA", "WEBP", "TIFF", "memory", "premultiplied", "palette, number", "palette, bytes", "GIF"),
        *("RGB with a colour", "RGB of 16 bits"),
    ],
)
def test_transparent_parts_are_white(case: str) -> None:
    expected = np.where(PATTERN[..., None], (255, 0, 0), (255, 255, 255))
    assert np.array_equal(array(transparent(case)), expected)


@pytest.mark.parametrize("case", ["LA", "PA", "L with a grey", "4 bits", "1 bit", "16 bits"])
def test_transparent_greys_are_white(case: str) -> None:
    alpha = np.where(PATTERN, 255, 0).astype(np.uint8)
    grey = np.where(PATTERN, 0, 60).astype(np.uint8)
    la = Image.fromarray(np.dstack([grey, alpha]))
    key = (b"tRNS", struct.pack(">H", 15))
    nibbles = np.where(PATTERN, 0, 15).astype(np.uint8)
    given: Any = {
        "LA": lambda: encoded(la),
        "PA": lambda: la.convert("RGBA").convert("PA"),
        "L with a grey": lambda: encoded(Image.fromarray(grey), transparency=60),
        "4 bits": lambda: png(30, 20, 4, 0, b"".join(b"\0" + bytes(row[::2] << 4 | row[1::2]) for row in nibbles), key),
        "1 bit": lambda: encoded(Image.fromarray(~PATTERN), transparency=1),
        "16 bits": lambda: encoded(Image.fromarray(grey.astype(np.uint16) * 257), transparency=60 * 257),
    }[case]()
    assert np.array_equal(array(given), np.where(PATTERN[..., None], 0, 255).repeat(3, 2))


def test_half_transparent_mixes_with_white_and_opaque_stays() -> None:
    half = Image.new("RGBA", (4, 4), (255, 0, 0, 128))
    assert array(half)[0, 0].tolist() == [255, 127, 127]
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    assert np.array_equal(array(Image.fromarray(noise).convert("RGBA")), noise)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV"])
def test_other_modes_become_rgb(mode: str) -> None:
    found = array(Image.new("RGB", (6, 4), "white").convert(mode))
    assert found.shape == (4, 6, 3)
    assert found.min() >= 250
    if mode == "CMYK":
        assert array(encoded(Image.new("CMYK", (8, 8)), "JPEG")).min() >= 250


def test_other_objects_are_refused() -> None:
    with pytest.raises(InputError, match="ndarray"):
        decode(np.zeros((4, 4, 3)))  # type: ignore[arg-type]


# Orientation ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "memory"])
def test_pictures_are_turned_as_exif_says(form: str, orientation: int) -> None:
    upright = Image.fromarray(
        np.random.default_rng(0).integers(0, 256, (3, 5, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    )
    back = [None, None, 0, 3, 1, 5, 2, 6, 4][orientation]  # the transposition that undoes what EXIF tells to do
    lying = upright if back is None else upright.transpose(Image.Transpose(back))
    exif = Image.Exif()
    exif[0x0112] = orientation
    given: Any = lying if form == "memory" else None
    if form == "memory":
        lying.info["exif"] = exif.tobytes()
    else:
        options: dict[str, Any] = {"lossless": True} if form == "WEBP" else {"quality": 95, "subsampling": 0}
        given = encoded(lying, form, exif=exif, **options)
    difference = abs(array(given).astype(int) - np.asarray(upright))
    assert difference.mean() < 3
    if form != "TIFF":
        assert array(given, upright=False).shape == np.asarray(lying).shape


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_leaves_the_picture_as_it_is() -> None:
    assert array(encoded(Image.new("RGB", (8, 4)), "JPEG", exif=b"Exif\0\0II*\0garbage")).shape == (4, 8, 3)


def test_the_switch_is_saved_with_the_processor_and_known_to_the_store(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (64, 48), "red").save(tmp_path / "a.jpg", exif=exif)
    processor = load_processor("vilt-tiny").image_processor
    store = ImageStore(processor)
    assert store.pixels(tmp_path / "a.jpg").shape == (3, 64, 48)
    processor.exif_orientation = False
    assert store.pixels(tmp_path / "a.jpg").shape == (3, 48, 64)
    processor.save_pretrained(tmp_path)
    again = type(processor).from_pretrained(tmp_path)
    assert ImageStore(again).pixels(tmp_path / "a.jpg").shape == (3, 48, 64)


def test_the_paper_does_not_look_at_exif_unless_told() -> None:
    data = {"name": "jsonl", "train": "a.jsonl", "images": "b"}
    for given, expected in (({}, False), ({"data": data}, False), ({"data": {**data, "exif_orientation": True}}, True)):
        assert Recipe.from_dict({"output": "o", "preset": "paper", **given}).data.exif_orientation is expected
    assert Recipe.from_dict({"output": "o", "data": data}).data.exif_orientation


# Proportions ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["vilt-tiny", "meter-tiny", "bridgetower-tiny", "cropped"])
@pytest.mark.parametrize("size", [(1, 1), (300, 1), (1, 300), (3, 300), (1100, 100), (2, 90_000)])
def test_long_and_narrow_pictures_have_a_patch_a_side(name: str, size: tuple[int, int]) -> None:
    if name == "cropped":
        processor: Any = CLIPImageProcessorPil(size={"shortest_edge": 48}, crop_size=48)
    else:
        processor = load_processor(name).image_processor
    found = ImageStore(processor).pixels(Image.new("RGB", size, (10, 20, 30)))
    assert min(found.shape[1:]) >= (getattr(processor, "size_divisor", None) or 16)
    assert max(found.shape[1:]) <= 80
    middle = found[:, found.shape[1] // 2, found.shape[2] // 2]
    assert middle.tolist() == [10, 20, 30]


def test_other_pictures_go_to_the_processor_as_they_are() -> None:
    for name in ("vilt-tiny", "meter-tiny", "bridgetower-tiny"):
        processor = load_processor(name).image_processor
        image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 100, 3), dtype=np.uint8))
        expected = processor(image, do_rescale=False, do_normalize=False, do_pad=False)["pixel_values"][0]
        assert np.array_equal(ImageStore(processor).pixels(image), np.asarray(expected).round().clip(0, 255))


# Changed files --------------------------------------------------------------------------------------------------------


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    store = ImageStore(load_processor("vilt-tiny").image_processor)
    path = tmp_path / "a.bmp"
    Image.new("RGB", (48, 48), "red").save(path)
    before = store.pixels(path)
    assert store.pixels(path) is before
    times = path.stat()
    Image.new("RGB", (48, 48), "blue").save(tmp_path / "b.bmp")
    (tmp_path / "b.bmp").replace(path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # the same size and time, as copies may have
    assert store.pixels(path)[:, 0, 0].tolist() == [0, 0, 255]
    path.unlink()
    with pytest.raises(InputError, match="no such file"):
        store.pixels(path)


def test_a_table_that_is_replaced_is_read_again(tmp_path: Path) -> None:
    def write(colour: str) -> None:
        table = pa.table({"image": [encoded(Image.new("RGB", (48, 48), colour))]})
        with pa.OSFile(str(tmp_path / "new"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        (tmp_path / "new").replace(tmp_path / "t.arrow")

    store, stored = (
        ImageStore(load_processor("vilt-tiny").image_processor),
        Stored(str(tmp_path / "t.arrow"), "image", 0),
    )
    write("red")
    assert store.pixels(stored)[:, 0, 0].tolist() == [255, 0, 0]
    write("blue")
    assert store.pixels(stored)[:, 0, 0].tolist() == [0, 0, 255]


# The collected cases --------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not CASES.is_dir(), reason="no shared cases beside the repository")
def test_collected_cases() -> None:
    found = {path.name: path for path in CASES.iterdir()}
    assert array(found["gray16.png"]).mean() == pytest.approx(219.7, abs=0.1)
    assert array(found["float.tif"]).mean() == pytest.approx(219.7, abs=0.1)
    alike = [
        array(found[name]) for name in ("alpha_black.png", "alpha_green.png", "alpha_black.webp", "gif_transparent.gif")
    ]
    assert all(abs(one.astype(int) - alike[0]).max() == 0 for one in alike)
    upright = array(found["upright.png"]).astype(int)
    assert abs(array(found["exif6.png"]) - upright).max() == 0
    assert abs(array(found["exif6.jpg"]) - upright).mean() < 2
    with pytest.raises(InputError, match="truncated"):
        decode(found["truncated.png"])
