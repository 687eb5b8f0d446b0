"""``SkipSearch`` in a stock Trainer of two processes: the plan of one process with the same batches, also resumed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from campaign_form import LONG
from several_processes import told_ranks

pytestmark = pytest.mark.skipif(not LONG, reason="part of the long form of the campaign")

SCRIPT = """
import json, sys
from pathlib import Path
import torch
from transformers import Trainer, TrainerCallback, TrainingArguments
import skiptune as st

class Stop(TrainerCallback):
    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == int(sys.argv[4]):
            raise SystemExit(3)

torch.set_num_threads(1)
data, folder, batch = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
records = list(st.read_jsonl(data / "train.jsonl", data / "images"))
task = st.Vqa.from_records(st.load_processor("vilt-tiny"), records)
model = st.load_model("vilt-tiny", task.model_class, seed=0, **task.model_changes())
st.insert(model, st.SkipConfig(block_adapter="lora"))
search = st.SkipSearch(
    st.Budget(num_skip=2),
    records[32:],
    st.SearchConfig(strategy="policy", max_steps=6, interval=2, candidates=3, reward_batch_size=8),
)
arguments = TrainingArguments(
    str(folder), per_device_train_batch_size=batch, max_steps=8, learning_rate=1e-3, logging_steps=1, save_steps=2,
    use_cpu=True, remove_unused_columns=False, label_names=["labels"], report_to="none", disable_tqdm=True,
    dataloader_pin_memory=False,
)
trainer = Trainer(model, arguments, train_dataset=records[:32], data_collator=task.collate, callbacks=[search, Stop()])
trainer.train(resume_from_checkpoint=bool(list(folder.glob("checkpoint-*"))))
losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
found = {"skipped": search.plan.skipped, "preferences": search.plan.preferences, "losses": losses}
Path(f"{folder}-{arguments.process_index}.json").write_text(json.dumps(found))
"""


def train(folder: Path, data: Path, processes: int, stop: int = -1) -> list[dict[str, object]]:
    script = folder.with_suffix(".py")
    script.write_text(SCRIPT, encoding="utf-8")
    batch, owns = 8 // processes, [{**os.environ, **told} for told in told_ranks(processes)]
    if processes == 1:
        for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
            owns[0].pop(name, None)
    command = [sys.executable, str(script), str(data), str(folder), str(batch), str(stop)]
    started = [subprocess.Popen(command, env=own) for own in owns]
    ends = [process.wait(timeout=100) for process in started]
    assert [end == 0 for end in ends] == [stop < 0] * processes
    return [json.loads(path.read_text()) for path in sorted(folder.parent.glob(f"{folder.name}-*.json"))]


def test_two_processes_find_the_plan_of_one(data_folder: Path, tmp_path: Path) -> None:
    (alone,) = train(tmp_path / "one", data_folder, 1)
    first, second = train(tmp_path / "two", data_folder, 2)
    assert first["skipped"] == second["skipped"] == alone["skipped"]
    assert first["preferences"] == second["preferences"]
    assert first["preferences"] == pytest.approx(alone["preferences"], rel=0.01, abs=1e-3)
    # the Trainer of two processes counts a loss twice that does not divide by the number of labels, as ViLT's
    assert first["losses"] == pytest.approx([2 * loss for loss in alone["losses"]], rel=1e-4)
    train(tmp_path / "killed", data_folder, 2, stop=5)
    again = train(tmp_path / "killed", data_folder, 2)
    assert again[0] == first
