"""Time to load a slim model and the memory it takes, against transformers and the whole base model.

    python benchmarks/slim_loading.py [--model vilt-b32] [--skipped 0 1 2 4 6] [--repeats 10] [--threads 1]
    python benchmarks/slim_loading.py --model meter-b16 --image 288 --output benchmarks/results/slim_loading_meter.json

Random weights. Every measurement is a process of its own that has imported all it needs; variants take turns round by
round, files are in the page cache. ``load`` ends when the model can be called, ``answer`` when one question has been
answered too: mapped weights are read then. ``ratio`` is to transformers in the same round. Resident memory is what the
process gained by loading and by touching every weight once; ``expected`` is transformers' less the bytes of the skipped
blocks, ``excess`` what is above that, adapters included. Before anything is timed, every export is loaded and answers
as the model that it was exported from.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any

ANSWERS = 3129
FORMS = ("standalone", "adapters")
Variant = dict[str, Any]


def one(what: str, variant: Variant) -> dict[str, float]:
    """``times`` or ``memory`` of loading one variant in this process."""
    started = time.perf_counter()
    import torch

    torch.set_num_threads(variant["threads"])
    load = loader(variant)
    found = {"import": time.perf_counter() - started}
    before = memory()
    started = time.perf_counter()
    model = load(variant["folder"])
    found["load"] = time.perf_counter() - started
    if what == "times":
        text, side = variant["text"], variant["image"]
        inputs = {
            "input_ids": torch.ones(1, text, dtype=torch.long),
            "attention_mask": torch.ones(1, text, dtype=torch.long),
            "pixel_values": torch.zeros(1, 3, side, side),
        }
        with torch.inference_mode():
            model(**inputs)
        return {**found, "answer": time.perf_counter() - started}
    with torch.inference_mode():
        for weight in model.parameters():
            weight.sum()
    after = memory()
    return {"resident": after["VmRSS"] - before["VmRSS"], "peak": after["VmHWM"] - before["VmRSS"]}


def loader(variant: Variant) -> Any:
    """What reads the variant; imports it."""
    if variant["form"] != "base":
        import skiptune

        return skiptune.load
    if variant["model"] == "vilt-b32":
        from transformers import ViltForQuestionAnswering

        return ViltForQuestionAnswering.from_pretrained
    from skiptune import MeterForQuestionAnswering

    return MeterForQuestionAnswering.from_pretrained


def memory() -> dict[str, float]:
    """``VmRSS`` and its peak, ``VmHWM``, in MiB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return {name: int(fields[name].split()[0]) / 2**10 for name in ("VmRSS", "VmHWM")}


def prepare(options: argparse.Namespace, folder: Path) -> list[Variant]:
    """Export every variant to ``folder`` and compare what it answers."""
    import torch

    import skiptune as st
    from skiptune.costs.example_inputs import example_inputs
    from skiptune.families.registry import family_of

    st.load_model(options.model, "vqa", num_labels=ANSWERS).save_pretrained(folder / "base")
    about = {"model": options.model, "image": options.image, "text": options.text, "threads": options.threads}
    variants = [
        {**about, "form": "base", "adapters": "none", "skipped": 0, "folder": str(folder / "base"), "gone": 0.0}
    ]
    for adapters in options.adapters:
        model = st.load_model(str(folder / "base"), "vqa")
        family = family_of(model)
        sizes = {
            name: sum(weight.nbytes for weight in block.parameters()) / 2**20
            for name, block in family.blocks(model).items()
        }
        st.insert(model, st.SkipConfig(block_adapter=adapters)).eval()
        inputs = example_inputs(model, (options.image, options.image), options.text, 1)
        order = sorted(sizes, key=lambda name: int(name.rpartition(".")[2]))  # METER's streams in turns
        for count in options.skipped:
            plan = st.Plan(family.name, tuple(sizes), tuple(order[:count]))
            st.choose(model, plan.skipped)
            with torch.inference_mode():
                expected = model(**inputs).logits
            gone = sum(sizes[name] for name in plan.skipped)
            for form in options.forms:
                where = st.export(model, folder / f"{form}-{adapters}-{count}", plan, form=form)
                with torch.inference_mode():
                    found = st.load(where, verify=True)(**inputs).logits
                difference = float((found - expected).abs().max() / expected.abs().max())
                if difference > 1e-5:
                    raise SystemExit(f"{where.name}: answers differ by {difference:.1e} relative")
                row = {"form": form, "adapters": adapters, "skipped": count, "folder": str(where), "gone": gone}
                variants.append({**about, **row})
    return variants


def measure(what: str, variant: Variant) -> dict[str, float]:
    """:func:`one` in a fresh process."""
    command = [sys.executable, __file__, "--one", what, "--variant", json.dumps(variant)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def spread(values: list[float]) -> dict[str, float]:
    tenths = quantiles(values, n=10) if len(values) > 1 else values * 9
    return {"median_s": median(values), "p10_s": tenths[0], "p90_s": tenths[-1]}


def rows_of(variants: list[Variant], turns: list[list[dict[str, float]]]) -> list[dict[str, Any]]:
    """One row a variant; ``turns`` holds the times of every variant in every round."""
    memories = [measure("memory", variant) for variant in variants]
    rows = []
    for number, variant in enumerate(variants):
        times = [turn[number] for turn in turns]
        row: dict[str, Any] = {name: value for name, value in variant.items() if name not in ("folder", "gone")}
        for name in ("import", "load", "answer"):
            row[name] = spread([each[name] for each in times])
            if name != "import":
                row[name]["ratio"] = median(each[name] / turn[0][name] for each, turn in zip(times, turns, strict=True))
        expected = memories[0]["resident"] - variant["gone"]
        row["resident_mib"], row["peak_mib"] = memories[number]["resident"], memories[number]["peak"]
        row["expected_mib"], row["excess"] = expected, memories[number]["resident"] / expected - 1
        row["directory_mib"] = sum(file.stat().st_size for file in Path(variant["folder"]).iterdir()) / 2**20
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="vilt-b32", choices=("vilt-b32", "meter-b16"))
    parser.add_argument("--image", type=int, default=384)
    parser.add_argument("--text", type=int, default=40)
    parser.add_argument("--skipped", type=int, nargs="+", default=[0, 1, 2, 4, 6])
    parser.add_argument("--adapters", nargs="+", default=["bottleneck", "lora"], choices=("bottleneck", "lora"))
    parser.add_argument("--forms", nargs="+", default=FORMS, choices=FORMS)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--one", choices=("times", "memory"), help=argparse.SUPPRESS)
    parser.add_argument("--variant", type=json.loads, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "slim_loading.json")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(options.one, options.variant)))
        return
    from skiptune.core.files import write_json
    from skiptune.core.process import quiet_libraries, versions

    quiet_libraries()
    with tempfile.TemporaryDirectory() as folder:
        variants = prepare(options, Path(folder))
        for variant in variants:
            measure("times", variant)  # fills the page cache
        turns = [[measure("times", variant) for variant in variants] for _ in range(options.repeats)]
        rows = rows_of(variants, turns)
    command = shlex.join(["python", "benchmarks/slim_loading.py", *sys.argv[1:]])
    about = {"command": command, "cores": os.cpu_count(), "load_average": os.getloadavg()[0], "versions": versions()}
    write_json(options.output, {"rows": rows, **about})
    for row in rows:
        print(
            f"{row['form']:<11}{row['adapters']:<11}skipped {row['skipped']}  "
            f"load {row['load']['median_s'] * 1e3:6.0f} ms {row['load']['ratio']:5.2f}×  "
            f"to the first answer {row['answer']['median_s'] * 1e3:6.0f} ms {row['answer']['ratio']:5.2f}×  "
            f"resident {row['resident_mib']:6.0f} MiB ({row['excess']:+.1%})  on disk {row['directory_mib']:6.1f} MiB"
        )


if __name__ == "__main__":
    main()
