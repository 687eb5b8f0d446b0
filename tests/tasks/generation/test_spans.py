"""Where answers are, by tokens that begin with blanks, by those of bytes, and in templates of text models."""

from __future__ import annotations

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from skiptune import InputError
from skiptune.data.record import Record
from skiptune.data.turns import Turn
from skiptune.families.chat_processor import ChatProcessor
from skiptune.tasks.generation.task import Generation
from tiny_chat import TEMPLATES

TEXTS = ["What is it?\nYes, it is red.", "USER: ASSISTANT: [INST] [/INST] user assistant model system\n", "Grün ☀ 5"]
SPECIAL = ["<pad>", "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<start_of_turn>", "<end_of_turn>"]
ASKED = (
    Turn("user", ("What is it?",)),
    Turn("assistant", ("Grün ☀.",)),
    Turn("user", ("Is it red?",)),
    Turn("assistant", ("Yes, it is\n\nred. ",)),
)


def tokenizer_of(kind: str, template: str, eos: str) -> PreTrainedTokenizerFast:
    """As LLaMA's, with blanks before words, or as GPT's, of bytes."""
    made = Tokenizer(models.BPE(byte_fallback=True))
    if kind == "blanks":
        made.pre_tokenizer, made.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
        letters = sorted({*"".join(TEXTS), "▁"})
    else:
        made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
        letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=420, initial_alphabet=letters, special_tokens=SPECIAL, show_progress=False)
    made.train_from_iterator(TEXTS * 3, trainer)
    made.add_special_tokens([AddedToken(word, special=True, normalized=False) for word in SPECIAL])
    text = (TEMPLATES / f"{template}.jinja").read_text()
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", bos_token="<s>", eos_token=eos, chat_template=text,
        extra_special_tokens=SPECIAL[3:],
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["blanks", "bytes"])
@pytest.mark.parametrize(
    ("template", "end"),
    [("mistral", "</s>"), ("gemma", "<end_of_turn>"), ("qwen2_5", "<|im_end|>"), ("qwen3", "<|im_end|>")],
)
def test_answers_are_found_whole(kind: str, template: str, end: str) -> None:
    tokenizer = tokenizer_of(kind, template, "</s>" if template == "mistral" else end)
    batch = Generation(ChatProcessor("llama", tokenizer)).collate([Record(None, turns=ASKED)])
    words = tokenizer.decode(batch["labels"][0][batch["labels"][0] >= 0])
    first, second, nothing = words.split(end)
    assert (first.strip(), nothing.strip()) == ("Grün ☀.", "")
    assert second.strip().endswith("Yes, it is\n\nred.")
    assert "Yes" not in tokenizer.decode(batch["input_ids"][0][batch["labels"][0] < 0])


def test_thoughts_of_earlier_turns_that_a_template_leaves_out_are_refused() -> None:
    task = Generation(ChatProcessor("llama", tokenizer_of("bytes", "qwen3", "<|im_end|>")))
    thought = Turn("assistant", ("<think>hm</think>Yes.",))
    task.collate([Record(None, turns=(ASKED[0], Turn("assistant", ("Yes.",))))])
    with pytest.raises(InputError, match=r"the answers \(of turn 2, turn 4\) cannot be found"):
        task.collate([Record(None, turns=(ASKED[0], thought, *ASKED[2:]))])


def test_a_template_without_an_end_is_ended() -> None:
    tokenizer = tokenizer_of("blanks", "mistral", "</s>")
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m.role | upper }}: {{ m.content }} {% endfor %}"
        "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
    )
    batch = Generation(ChatProcessor("llama", tokenizer)).collate([Record(None, "What is it?", {"red": 1.0})])
    assert tokenizer.decode(batch["labels"][0][batch["labels"][0] >= 0]).replace(" ", "") == "red</s>"
