"""The page of ``skiptune demo`` with tiny models, served once a process for all tests that ask for it."""

from __future__ import annotations

import asyncio
import atexit
import gc
import tempfile
import warnings
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import skiptune as st
from every_task import made, records_of, write_images
from skiptune.answering.opened import named_folders, open_models
from skiptune.answering.picture_limits import PictureLimits
from skiptune.families.chat_processor import ChatProcessor
from skiptune.showing.shown_model import Facts, ShownModel, shown_models
from tiny_chat import tiny_llava_processor
from tiny_decoders import vlm

RUN = Path(__file__).parent / "fixtures" / "0.3" / "run"


@dataclass(frozen=True)
class ServedPage:
    """A page: its address, its models, and a folder of pictures to ask about."""

    address: str
    models: dict[str, ShownModel]
    pictures: Path


@cache
def demo_page() -> ServedPage:
    """The page, which takes pictures of 100 kB and 1 megapixel at most, until the process ends."""
    pytest.importorskip("gradio", reason="needs the extra demo")
    from skiptune.showing.show import Place, served, warm_up

    until_the_end = ExitStack()
    atexit.register(until_the_end.close)
    folder = Path(until_the_end.enter_context(tempfile.TemporaryDirectory()))
    write_images(folder)
    (folder / "wrong.png").write_text("no picture")
    shown = {model.name: model for model in _shown(folder)}
    warm_up(list(shown.values()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Gradio's own
        page = until_the_end.enter_context(served(list(shown.values()), PictureLimits(0.1, 1), Place()))
    _close_idle_loop()
    return ServedPage(page, shown, folder)


def let_go() -> None:
    """Collect what Gradio and its client leave now, and not in another module's test, where warnings about open sockets
    are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        _close_idle_loop()
        gc.collect()


def _close_idle_loop() -> None:
    """Gradio asks asyncio for this thread's loop, which is made then, and never runs it nor closes it."""
    loop = getattr(getattr(asyncio.get_event_loop_policy(), "_local", None), "_loop", None)
    if loop is not None and not loop.is_running():
        loop.close()
        asyncio.set_event_loop(None)


def _shown(folder: Path) -> list[ShownModel]:
    """A model of 0.3 beside itself with all blocks, one about two pictures, one for captions, one that writes."""
    whole = tiny_llava_processor()
    writing = st.Generation(ChatProcessor("llava", whole.tokenizer, whole), max_new_tokens=4)
    st.export(st.insert(vlm("llava"), st.SkipConfig(block_adapter="lora")), folder / "chat", task=writing)
    slim = shown_models(open_models(named_folders([str(RUN)])), original=True)
    others = [_unexported(name, folder, slim[0].folder) for name in ("reasoning", "retrieval")]
    return [*slim, *others, *shown_models(open_models(named_folders([str(folder / "chat")])))]


def _unexported(name: str, pictures: Path, folder: Path) -> ShownModel:
    """A model of another task as it is made, which is quicker than to write and read it; ``folder`` stands for its."""
    task, model = made(name, "vilt-tiny", records_of(name, pictures))
    facts = Facts(name, "vilt-tiny", tuple(st.blocks_of(model)), (), ())
    return ShownModel(name, folder, st.Pipeline(model.eval(), task), facts)
