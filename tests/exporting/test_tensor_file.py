"""Files of aligned tensors: ordinary safetensors to others, used where they lie by us."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from skiptune import InputError
from skiptune.exporting.tensor_file import ALIGNMENT, data_is_whole, header_sha256, map_tensors, write_tensors


@pytest.fixture
def state() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "a.bias": torch.randn(3, generator=generator),  # 12 bytes: would push the others off their places
        "b.weight": torch.randn(32, 16, generator=generator),
        "b.half": torch.randn(64, generator=generator).half(),
        "c.turned": torch.randn(16, 32, generator=generator).T,
        "d.numbers": torch.arange(16),
        "e.flags": torch.tensor([True, False, True]),
        "f.empty": torch.zeros(0, 4),
        "g.number": torch.tensor(2.5),
    }


def test_others_read_what_we_write(state: dict[str, Tensor], tmp_path: Path) -> None:
    write_tensors(tmp_path / "t.safetensors", state)
    for found in (load_file(tmp_path / "t.safetensors"), map_tensors(tmp_path / "t.safetensors")):
        assert found.keys() == state.keys()
        for name, value in state.items():
            assert found[name].dtype == value.dtype
            assert torch.equal(found[name], value)


def test_tensors_lie_well_and_only_the_odd_ones_are_copied(state: dict[str, Tensor], tmp_path: Path) -> None:
    write_tensors(tmp_path / "t.safetensors", state)
    found = map_tensors(tmp_path / "t.safetensors")
    assert all(value.data_ptr() % ALIGNMENT == 0 for value in found.values())
    mapped = [found[name].data_ptr() for name in ("b.weight", "b.half", "c.turned", "d.numbers")]
    assert max(mapped) - min(mapped) < (tmp_path / "t.safetensors").stat().st_size, "some were copied"


def test_changing_a_mapped_tensor_leaves_the_file_alone(state: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    write_tensors(path, state)
    before = path.read_bytes()
    map_tensors(path)["b.weight"].zero_()
    assert path.read_bytes() == before
    assert torch.equal(map_tensors(path)["b.weight"], state["b.weight"])


def test_the_headers_digest_stands_for_the_data(state: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    written = write_tensors(path, state)
    assert header_sha256(path) == written
    assert data_is_whole(path)
    assert write_tensors(path, {**state, "g.number": torch.tensor(2.25)}) != written
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert not data_is_whole(path)


@pytest.mark.parametrize("content", [b"", b"x", b"\xff" * 8, b"\x10" + b"\0" * 7 + b"{}"])
def test_what_is_no_such_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    path.write_bytes(content)
    header_sha256(path)
    assert not data_is_whole(path)
    with pytest.raises(InputError, match="cannot be read"):
        map_tensors(path)
