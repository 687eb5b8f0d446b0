"""The processors of models that generate text: read without torchvision, refused kindly, written for all."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from skiptune import InputError, load_processor
from skiptune.models.chat_processors import read_chat_processor
from skiptune.models.loading import load_family
from skiptune.models.without_torchvision import WITHOUT_TORCHVISION
from tiny_chat import CHATS, tiny_processor
from tiny_decoders import VLM, text_config, vlm_config

VIDEOS = {"video_processor_type": "Qwen2VLVideoProcessor", "fps": 1}


def saved(name: str, folder: Path) -> Path:
    """Configuration and processor of a tiny model, without weights."""
    config = vlm_config(name) if name in VLM else text_config(name)
    config.save_pretrained(folder)
    tiny_processor(name).save_pretrained(folder)
    return folder


def read(folder: Path) -> Any:
    return load_processor(str(folder))


def edit(folder: Path, file: str, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / file
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("name", CHATS)
def test_what_is_written_is_read_again(name: str, tmp_path: Path) -> None:
    folder = saved(name, tmp_path / "first")
    if name in VLM:
        edit(folder, "processor_config.json", lambda content: content.update(video_processor=VIDEOS))
    found = read(folder)
    found.save_pretrained(tmp_path / "second")
    again = read_chat_processor(str(tmp_path / "second"), load_family(str(folder)), found_config(name), "second")
    assert again.tokenizer.get_vocab() == found.tokenizer.get_vocab()
    assert again.template_owner.chat_template == found.template_owner.chat_template
    assert pickle.loads(pickle.dumps(again)).model_type == found.model_type  # as workers of a DataLoader get it
    if name not in VLM:
        return
    assert again.whole.image_processor.to_dict() == found.whole.image_processor.to_dict()
    assert type(again.whole) is type(found.whole)
    written = json.loads((tmp_path / "second" / "processor_config.json").read_text())
    kind = type(found.whole).__name__
    assert written["processor_class"] == CHATS[name].processor[0] == kind
    assert (kind not in WITHOUT_TORCHVISION) or written["video_processor"] == VIDEOS


def found_config(name: str) -> Any:
    return vlm_config(name) if name in VLM else text_config(name)


def test_files_of_early_checkpoints(tmp_path: Path) -> None:
    """Image settings in a file of their own, no settings of the processor, the template with the tokenizer."""
    folder = saved("llava", tmp_path / "model")
    settings = json.loads((folder / "processor_config.json").read_text())
    template = (folder / "chat_template.jinja").read_text()
    for file in ("processor_config.json", "chat_template.jinja"):
        (folder / file).unlink()
    images = {**settings["image_processor"], "image_processor_type": "CLIPImageProcessor"}
    (folder / "preprocessor_config.json").write_text(json.dumps(images))
    edit(folder, "tokenizer_config.json", lambda content: content.update(chat_template=template))
    found = read(folder)
    assert found.whole.patch_size == 4
    assert found.whole.num_additional_image_tokens == 1
    assert found.whole.chat_template == template
    prepared = found.whole(text=["<image> what"], images=[Image.new("RGB", (20, 30))])
    assert prepared["input_ids"][0].count(found.image_number) == 16


def no_end(content: dict[str, Any]) -> None:
    for field in ("pad_token", "eos_token"):
        content.pop(field)


@pytest.mark.parametrize(
    ("name", "file", "change", "said"),
    [
        ("llava", "processor_config.json", lambda content: content.update(patch_size=2), "patch_size: 2 in Llava"),
        ("internvl", "processor_config.json", lambda content: content.update(image_seq_length=9),
         "image_seq_length: 9"),
        ("smolvlm", "processor_config.json", lambda content: content.update(image_seq_len=3), "image_seq_len: 3"),
        ("qwen2_vl", "processor_config.json", lambda content: content["image_processor"].update(merge_size=1),
         "merge_size: 1"),
        ("llava", "config.json", lambda content: content.update(image_token_index=7, image_token_id=7),
         "image_token: the tokenizer's has number 63"),
        ("llama", "config.json", lambda content: content.update(vocab_size=30), "the model knows 30"),
        ("llama", "tokenizer_config.json", no_end, "pad_token: the tokenizer has none"),
        ("llava", "processor_config.json", lambda content: content.update(processor_class="None"), "cannot be read"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(
    name: str, file: str, change: Callable[[dict[str, Any]], object], said: str, tmp_path: Path
) -> None:
    folder = saved(name, tmp_path / "model")
    edit(folder, file, change)
    with pytest.raises(InputError, match=said):
        read(folder)
