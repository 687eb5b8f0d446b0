"""What other servers read of a plain checkpoint is there, and says what SkipTune does; vLLM itself is not run."""

from __future__ import annotations

import json
from pathlib import Path

from transformers import AutoModelForImageTextToText, AutoProcessor

import skiptune as st
from docs_pages import PAGES
from skiptune.data.turns import Turn
from tiny_chat import save_tiny_llava

#: What the guide says that vLLM reads.
READ = ("config.json", "chat_template.jinja", "generation_config.json", "tokenizer.json", "tokenizer_config.json")


def test_all_files_are_there_and_say_what_skiptune_does(tmp_path: Path) -> None:
    base = str(save_tiny_llava(tmp_path / "base"))
    model = st.insert(st.load_model(base, "generation"), st.SkipConfig(block_adapter="lora", lora_rank=2)).eval()
    task = st.Generation(st.load_processor(base))
    names = tuple(st.blocks_of(model))
    folder = st.export(model, tmp_path / "plain", st.Plan("llava", names, names[1:2]), task, "plain")
    found = {path.name for path in folder.iterdir()}
    assert found >= {*READ, "model.safetensors"}
    assert found & {"preprocessor_config.json", "processor_config.json"}
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert config["architectures"] == ["LlavaForConditionalGeneration"]
    assert "auto_map" not in config  # no code of ours is needed
    read, report = AutoModelForImageTextToText.from_pretrained(folder, output_loading_info=True)
    assert not any(report.values()), report
    assert read.config.text_config.num_hidden_layers == model.config.text_config.num_hidden_layers - 1
    asked = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "is it red?"}]}]
    written = AutoProcessor.from_pretrained(folder).apply_chat_template(asked, add_generation_prompt=True)
    assert written == task.template.prompt((Turn("user", (None, "is it red?")),)).text
    page = next(page for page in PAGES if page.name == "docs/guides/other-servers.md")
    assert all(f"`{name}`" in page.text for name in READ[:3])
