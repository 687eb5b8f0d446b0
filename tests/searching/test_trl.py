"""TRL's ``SFTTrainer`` with a search: conversations, resumed bit-equal, exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import PreTrainedTokenizerFast

from decoder_training import SEARCH, KillAt, KilledError, decoder
from skiptune import Budget, InputError, SkipSearch, export, load
from tiny_decoders import WORDS

trl = pytest.importorskip("trl", reason="needs TRL: pip install 'skiptune[trl]'")
datasets = pytest.importorskip("datasets", reason="TRL trains on datasets of datasets")

TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }} "
    "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] }} end{% endgeneration %} "
    "{% else %}{{ message['content'] }} {% endif %}{% endfor %}{% if add_generation_prompt %}assistant {% endif %}"
)


def tokenizer() -> PreTrainedTokenizerFast:
    """A word each, with as many as the tiny decoders have."""
    words = ["pad", "unknown", "end", "user", "assistant", *(f"w{number}" for number in range(WORDS - 5))]
    found = Tokenizer(WordLevel({word: number for number, word in enumerate(words)}, unk_token="unknown"))
    found.pre_tokenizer = WhitespaceSplit()
    made = PreTrainedTokenizerFast(tokenizer_object=found, pad_token="pad", eos_token="end", unk_token="unknown")
    made.chat_template = TEMPLATE
    return made


def conversations(count: int, first: int = 0) -> Any:
    def turns(number: int) -> list[dict[str, str]]:
        answer = " ".join(f"w{(number + place) % 50}" for place in range(1 + number % 6))
        return [
            {"role": "user", "content": f"w{number % 50} w{number % 7}"},
            {"role": "assistant", "content": answer},
        ]

    return datasets.Dataset.from_list([{"messages": turns(number)} for number in range(first, first + count)])


def trainer_of(folder: Path, model: Any, callbacks: list[Any]) -> Any:
    arguments = trl.SFTConfig(
        str(folder),
        max_steps=6,
        per_device_train_batch_size=4,
        learning_rate=1e-2,
        save_steps=1,
        max_length=32,
        assistant_only_loss=True,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
        gradient_checkpointing=False,
        bf16=False,
    )
    return trl.SFTTrainer(
        model,
        arguments,
        train_dataset=conversations(24),
        eval_dataset={"plan": conversations(12, 100)},
        processing_class=tokenizer(),
        callbacks=callbacks,
    )


def trained(folder: Path, kills: list[int | None]) -> tuple[Any, SkipSearch]:
    for kill in kills:
        model = decoder()
        callback = SkipSearch(Budget(num_skip=1), "plan", SEARCH.replace(strategy="policy"))
        trainer = trainer_of(folder, model, [callback, *([] if kill is None else [KillAt(kill)])])
        try:
            trainer.train(resume_from_checkpoint=bool(list(folder.glob("checkpoint-*"))))
        except KilledError:
            assert kill is not None
    return model, callback


@pytest.mark.filterwarnings("ignore")  # TRL's own
def test_supervised_fine_tuning_with_a_search(tmp_path: Path) -> None:
    model, callback = trained(tmp_path / "whole", [None])
    again, resumed = trained(tmp_path / "killed", [2, 4, None])
    plan = callback.plan
    assert plan is not None
    assert len(plan.skipped) == 1
    assert plan.preferences == resumed.plan.preferences
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())
    slim = load(export(model, tmp_path / "slim", plan))
    ids = torch.arange(5, 15)[None]
    model.eval()
    with torch.no_grad():
        torch.testing.assert_close(slim(input_ids=ids).logits, model(input_ids=ids).logits, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_held_out_conversations_that_trl_has_not_prepared_are_refused(tmp_path: Path) -> None:
    trainer = trainer_of(tmp_path, decoder(), [SkipSearch(Budget(num_skip=1), conversations(12, 100), SEARCH)])
    with pytest.raises(InputError, match=r"columns are messages, and the training is on .*input_ids.*held_out='held_o"):
        trainer.train()
