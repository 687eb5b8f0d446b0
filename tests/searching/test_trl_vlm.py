"""TRL's ``SFTTrainer`` on conversations about images: the labels of task ``generation``, a search, a plain export that
answers alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor, LlavaProcessor, Trainer, TrainingArguments

from decoder_training import LORA, SEARCH, KillAt, KilledError
from skiptune import (
    Budget,
    Generation,
    InputError,
    Plan,
    Record,
    SkipConfig,
    SkipSearch,
    Turn,
    blocks_of,
    export,
    insert,
)
from skiptune.families.chat_processor import ChatProcessor
from tiny_chat import TEMPLATE, tiny_llava_processor
from tiny_decoders import vlm

trl = pytest.importorskip("trl", reason="needs TRL: pip install 'skiptune[trl]'")
datasets = pytest.importorskip("datasets", reason="TRL trains on datasets of datasets")
pytestmark = pytest.mark.filterwarnings("ignore")  # TRL's and PEFT's own

#: The same text, with the marks that TRL finds answers by.
MARKED = TEMPLATE.replace(
    "{% if message.content is string %}",
    "{% if message.role == 'assistant' %}{% generation %}{{ message.content[0].text }}</s>{% endgeneration %}"
    "{% elif message.content is string %}",
).replace("{% if message.role == 'assistant' %}</s>{% endif %}", "")
FEATURES = datasets.Features(
    {
        "messages": [{"role": datasets.Value("string"), "content": datasets.Value("string")}],
        "images": datasets.List(datasets.Image()),
    }
)
NONE = SkipConfig(block_adapter="none", skip_adapter="none")


def processor(template: str = MARKED) -> LlavaProcessor:
    made = tiny_llava_processor()
    made.chat_template = template
    return made


def conversations(count: int, seed: int = 0) -> Any:
    """Of one or two turns, about an image each."""
    generator = np.random.default_rng(seed)

    def row(number: int) -> dict[str, Any]:
        texts = ["what color is it ?", ("red", "blue", "green")[number % 3]]
        texts += ["is it a circle ?", ("no", "yes it is")[number % 4 == 1]] * (number % 2)
        roles = ("user", "assistant", "user", "assistant")
        image = Image.fromarray(generator.integers(0, 255, (40, 30, 3), dtype=np.uint8))
        turns = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
        return {"messages": turns, "images": [image]}

    return datasets.Dataset.from_list([row(number) for number in range(count)], features=FEATURES)


def record(row: dict[str, Any]) -> Record:
    """A row of :func:`conversations`; the image stands before the first question, as TRL puts it."""
    turns = [Turn(turn["role"], (turn["content"],)) for turn in row["messages"]]
    first = Turn("user", (None, *turns[0].parts))
    return Record(np.asarray(row["images"][0]), turns=(first, *turns[1:]))


def trainer_of(folder: Path, config: SkipConfig = LORA, train: Any = None, **changes: Any) -> tuple[Any, SkipSearch]:
    """Six steps of four conversations; TRL's defaults of gradient checkpointing and removed columns stay."""
    search = SkipSearch(Budget(num_skip=1), "plan", SEARCH)
    train = conversations(24) if train is None else train
    callbacks, given = changes.pop("callbacks", []), changes.pop("processing_class", None)
    own = {name: changes.pop(name) for name in ("peft_config",) if name in changes}
    usual: dict[str, Any] = {
        "output_dir": str(folder),
        "max_steps": 6,
        "per_device_train_batch_size": 4,
        "learning_rate": 1e-2,
        "save_strategy": "no",
        "max_length": None,
        "assistant_only_loss": "messages" in train.column_names,
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
        "bf16": False,
    }
    trainer = trl.SFTTrainer(
        insert(vlm("llava"), config),
        trl.SFTConfig(**{**usual, **changes}),
        train_dataset=train,
        eval_dataset={"plan": train.select(range(12))},
        processing_class=given or processor(),
        callbacks=[search, *callbacks],
        **own,
    )
    return trainer, search


def test_labels_are_those_of_the_task(tmp_path: Path) -> None:
    whole, rows = processor(), conversations(4)
    wanted = Generation(ChatProcessor("llava", whole.tokenizer, whole)).collate([record(row) for row in rows])
    found = trainer_of(tmp_path, processing_class=whole)[0].data_collator(list(rows))
    assert found.keys() == wanted.keys() - {"logits_to_keep", "shift_labels"}
    for name, value in found.items():
        assert torch.equal(value, wanted[name])
    learnt = [whole.tokenizer.decode(row[row >= 0]) for row in found["labels"]]
    assert learnt == ["red </s>", "blue </s> yes it is </s>", "green </s>", "red </s> no </s>"]


def test_without_marks_in_the_template_prompts_and_completions_teach_the_last_answer(tmp_path: Path) -> None:
    rows = conversations(24)
    turns = [{"prompt": row["messages"][:-1], "completion": row["messages"][-1:]} for row in rows]
    split = datasets.Dataset.from_list([{**two, "images": row["images"]} for two, row in zip(turns, rows, strict=True)])
    split = split.cast_column("images", datasets.List(datasets.Image()))
    whole = processor(TEMPLATE)
    trainer, _ = trainer_of(tmp_path, train=split, processing_class=whole)
    wanted = Generation(ChatProcessor("llava", whole.tokenizer, whole)).collate([record(rows[0])])
    found = trainer.data_collator([split[0]])
    for name in ("input_ids", "labels", "pixel_values"):
        assert torch.equal(found[name], wanted[name])
    with pytest.raises(ValueError, match="chat template"):  # TRL's
        trainer_of(tmp_path, processing_class=whole)


def trained(folder: Path, kill: int | None = None) -> tuple[Any, SkipSearch]:
    if kill is not None:
        with pytest.raises(KilledError):
            trainer_of(folder, save_strategy="steps", save_steps=2, callbacks=[KillAt(kill)])[0].train()
    trainer, search = trainer_of(folder, save_strategy="steps", save_steps=2)
    trainer.train(resume_from_checkpoint=kill is not None)
    return trainer, search


def test_a_search_resumed_bit_for_bit_and_read_by_transformers_alone(tmp_path: Path) -> None:
    trainer, search = trained(tmp_path / "whole")
    again, resumed = trained(tmp_path / "killed", 4)
    model, plan = trainer.model, search.plan
    assert plan is not None
    assert resumed.plan is not None
    assert len(plan.skipped) == 1
    assert plan.skipped == resumed.plan.skipped
    assert all(torch.equal(value, again.model.state_dict()[name]) for name, value in model.state_dict().items())

    folder = export(model, tmp_path / "plain", plan, form="plain")
    processor().save_pretrained(folder)
    alone, whole = AutoModelForImageTextToText.from_pretrained(folder), AutoProcessor.from_pretrained(folder)
    assert alone.config.text_config.num_hidden_layers == 3
    rows = conversations(3, seed=1)
    asked = [[{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "is it red ?"}]}]] * 3
    texts = whole.apply_chat_template(asked, add_generation_prompt=True)
    pictures = [row["images"] for row in rows]
    inputs = whole(text=texts, images=pictures, padding=True, padding_side="left", return_tensors="pt")
    greedy = {"max_new_tokens": 6, "do_sample": False, "pad_token_id": 0}
    assert torch.equal(alone.generate(**inputs, **greedy), model.eval().generate(**inputs, **greedy))


def test_a_stock_trainer_learns_the_batches_of_the_task(tmp_path: Path) -> None:
    whole, rows = processor(TEMPLATE), [record(row) for row in conversations(12)]
    task = Generation(ChatProcessor("llava", whole.tokenizer, whole))
    model, search = insert(vlm("llava"), LORA), SkipSearch(Budget(num_skip=1), rows[8:], SEARCH)
    arguments = TrainingArguments(
        str(tmp_path), max_steps=6, per_device_train_batch_size=4, remove_unused_columns=False, use_cpu=True
    )
    Trainer(model, arguments, train_dataset=rows[:8], data_collator=task.collate, callbacks=[search]).train()
    folder = export(model, tmp_path / "plain", search.plan, task, form="plain")
    assert AutoProcessor.from_pretrained(folder).chat_template == TEMPLATE


def test_adapters_of_peft_around_ours_are_refused(tmp_path: Path) -> None:
    from peft import LoraConfig

    adapters = LoraConfig(r=2, target_modules=r".*language_model.*q_proj")
    for config in (LORA, NONE.replace(skip_adapter="folded")):
        trainer, _ = trainer_of(tmp_path, config, peft_config=adapters)
        with pytest.raises(InputError, match="around adapters of SkipTune, and freezes or replaces them"):
            trainer.train()
    trainer, search = trainer_of(tmp_path, NONE, peft_config=adapters)
    trainer.train()
    folder = export(trainer.model.merge_and_unload(), tmp_path / "plain", search.plan, form="plain")
    assert AutoModelForImageTextToText.from_pretrained(folder).config.text_config.num_hidden_layers == 3


def test_mixed_precision_and_another_plan_at_export(tmp_path: Path) -> None:
    """TRL and mixed precision leave a ``forward`` of theirs in the model, which a copy of it may not be compared by."""
    trainer, search = trainer_of(tmp_path, bf16=True, max_steps=4)
    trainer.train()
    names = tuple(blocks_of(trainer.model))
    for skipped in (search.plan.skipped, ("0", "2")):
        folder = export(trainer.model, tmp_path / "plain", Plan("llava", names, skipped), form="plain")
        kept = AutoModelForImageTextToText.from_pretrained(folder).config.text_config.num_hidden_layers
        assert kept == len(names) - len(skipped)
