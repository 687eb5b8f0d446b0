"""The tables of ``docs/results.md``, made of the JSON files that the benchmarks wrote: the page must hold these lines.

``python tests/docs/result_tables.py`` prints them, to be copied into the page when a file has changed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
MINUS = "−"


def read(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def percent(value: float, digits: int = 0) -> str:
    """A share as a signed change, with a minus sign that is not a hyphen."""
    return f"{100 * value:+.{digits}f} %".replace("-", MINUS)


def change(value: float) -> str:
    """Likewise, in whole percent; none is +0 %."""
    return percent(value).replace(f"{MINUS}0 %", "+0 %")


def ratio(value: float) -> str:
    return f"{value:.2f}×"


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def spread(mean: float, sd: float | None) -> str:
    return f"{mean:.1f}" if sd is None else f"{mean:.1f} ± {sd:.1f}"


def compared(name: str, methods: Sequence[tuple[str, Sequence[int]]]) -> list[str]:
    """Rows of a comparison: skipped, trained, operations, latency, training time, metric."""
    content = read(f"compare_{name}")
    found = {(entry["method"], entry["skipped"]): entry for entry in content["rows"]}
    plain = found.get(("full", 0)) or found[("lora", 0)]  # LoRA merged: what the original model costs
    lines = []
    for method, levels in methods:
        for level in levels:
            entry = found[(method, level)]
            lines.append(row(entry["title"], str(level), *measured(entry, plain)))
    return lines


def measured(entry: Any, plain: Any) -> list[str]:
    """Cells of a row of a comparison: trained, operations, latency, training time, metric."""
    return [
        f"{entry['trainable_percent']:.1f} %",
        change(entry["macs_g"] / plain["macs_g"] - 1),
        ratio(entry["latency_s"] / plain["latency_s"]),
        f"{entry['train_s']:.0f}",
        spread(entry["metric_mean"], entry["metric_sd"]),
    ]


def easy_vqa() -> list[str]:
    unskipped = ["full", "parallel", "lora", "adapters", "deep-prompts", "bitfit", "ia3", "shallow-prompts", "head"]
    searched = [("das-lora", range(1, 7)), ("das-bottleneck", range(1, 7))]
    others = ["random-lora", "random-bottleneck", "heuristic-lora", "heuristic-bottleneck"]
    return compared("easy-vqa", [*((name, (0,)) for name in unskipped), *searched, *((name, (4,)) for name in others)])


def daquar() -> list[str]:
    skipping = ("das-lora", "random-lora", "heuristic-lora")
    return compared("daquar", [("lora", (0,)), ("adapters", (0,)), *((name, (4,)) for name in skipping)])


def flickr8k() -> list[str]:
    return compared("flickr8k", [("zero-shot", (0,)), ("lora", (0,)), ("das-lora", (4,)), ("random-lora", (4,))])


def demo() -> list[str]:
    content = read("easy_vqa_demo")
    latency = {size: entry["slim"]["ratio"] - 1 for size, entry in content["latency"]["batches"].items()}
    return [
        row("test accuracy, slim model", f"{100 * content['metric']['test']['accuracy']:.2f} %"),
        row("operations against the original model", percent(content["relative_macs"])),
        row("latency against the original, batch 1 / 32", f"{percent(latency['1'])} / {percent(latency['32'])}"),
    ]


def _ratio_of(rows: Sequence[Any], **wanted: Any) -> float:
    (found,) = (entry for entry in rows if all(entry[name] == value for name, value in wanted.items()))
    return float(found["ratio"])


def latency_vilt() -> list[str]:
    content = read("latency")
    lines = []
    for size, prepared in ((1, (False, True)), (8, (False,))):
        for adapters, title in (("bottleneck", "bottleneck adapters"), ("lora", "LoRA")):
            for kernels in prepared:
                rows = content["rows" if kernels else "torch_kernels"]
                same = {"model": "vilt-b32", "image": "384x384", "batch": size, "adapters": adapters}
                same["kernels"] = "onednn" if kernels else "torch"
                cells = [ratio(_ratio_of(rows, skipped=skipped, **same)) for skipped in (0, 1, 2, 4, 6)]
                title_ = f"{'batch 8, ' * (size == 8)}{title}{', prepared' * kernels}"
                lines.append(row(title_, *cells))
    return lines


def latency_meter() -> list[str]:
    content = read("latency")
    lines = []
    for adapters, title in (("bottleneck", "bottleneck adapters"), ("lora", "LoRA")):
        for kernels in (False, True):
            rows = content["rows" if kernels else "torch_kernels"]
            cells = []
            for levels in ((0,), (4,), (13, 14)):
                found = []
                for image in ("288x288", "384x384"):
                    same = {"model": "meter-b16", "image": image, "adapters": adapters, "batch": 1}
                    same["kernels"] = "onednn" if kernels else "torch"
                    (entry,) = (
                        entry
                        for entry in rows
                        if entry["skipped"] in levels and all(entry[name] == value for name, value in same.items())
                    )
                    found.append(ratio(entry["ratio"]))
                cells.append(" / ".join(found))
            lines.append(row(f"{title}{', prepared' * kernels}", *cells))
    return lines


def search_quality() -> list[str]:
    content = read("search_quality")["datasets"]
    names = {"default": "`bandit`, the default", "paper": "`policy`, as released"}
    order = [
        "default",
        "greedy",
        "paper",
        "influence",
        "first_order",
        "leave_one_out",
        "even",
        "random",
        "last",
        "first",
    ]
    lines = []
    for name in order:
        easy, photos = (content[dataset]["4"][name] for dataset in ("easy-vqa", "daquar"))
        cells = [names.get(name, f"`{name}`"), ratio(easy["cost_ratio"])]
        for entry in (easy, photos):
            cells += [
                f"{entry['percentile_mean']:.1f} %",
                f"{100 * entry['regret_mean']:.1f} ± {100 * entry['regret_se']:.1f}",
            ]
        lines.append(row(*cells))
    return lines


def search_cost() -> list[str]:
    models = [read("search_cost")["models"][name] for name in ("vilt-scenes", "vilt-b32", "meter-b16")]
    return [
        row("time", *(ratio(model["cost_ratio_time"]) for model in models)),
        row("multiply-accumulates", *(ratio(model["cost_ratio_macs"]) for model in models)),
        row("released search and restart, time", *(ratio(model["released_cost_ratio_time"]) for model in models)),
        row("a round that shares computation, against one by one, time",
            *(ratio(model["sharing"]["time_ratio"]) for model in models)),
    ]  # fmt: skip


def slim_loading() -> list[str]:
    rows = {(entry["form"], entry["adapters"], entry["skipped"]): entry for entry in read("slim_loading")["rows"]}
    forms = [
        ("standalone", "lora", "stand-alone, LoRA"),
        ("standalone", "bottleneck", "stand-alone, bottlenecks"),
        ("adapters", "lora", "adapters only, LoRA"),
        ("adapters", "bottleneck", "adapters only, bottlenecks"),
    ]
    lines = []
    for form, adapters, title in forms:
        found = [rows[form, adapters, skipped] for skipped in (0, 1, 4)]
        times = [f"{ratio(entry['load']['ratio'])} / {ratio(entry['answer']['ratio'])}" for entry in found]
        lines.append(row(f"{title}: until loaded / first answer", *times))
        lines.append(row(f"{title}: memory", *(percent(entry["excess"], 1) for entry in found)))
    return lines


def encoder_cache() -> list[str]:
    models = read("encoder_cache")["models"]
    titles = {"meter-photos": "`meter-photos`", "meter-b16": "METER-B/16, 288 px"}
    return [row(title, ratio(models[name]["step"]["ratio"]), ratio(models[name]["round"]["ratio"]))
            for name, title in titles.items()]  # fmt: skip


def vilt_step() -> list[str]:
    content = read("vilt_step")
    titles = {"bottleneck": "bottleneck adapters", "lora": "LoRA", "full": "full tuning, transformers' model"}
    return [row(title, f"{content[name]['peak_gib']:.1f} GiB", f"{content[name]['seconds']:.1f} s")
            for name, title in titles.items()]  # fmt: skip


def open_steps() -> list[str]:
    return [
        row(entry["dataset"], f"{entry['open_steps']} of {entry['steps']}", str(len(entry["accuracy_by_seed"])),
            f"{sum(entry['accuracy_by_seed'].values()) / len(entry['accuracy_by_seed']):.1f} %")
        for entry in read("open_share")["rows"]
    ]  # fmt: skip


def onnx() -> list[str]:
    lines = []
    for entry in read("onnx")["rows"]:
        times = {timed["batch"]: timed["ratio"] for timed in entry["latency"]}
        lines.append(
            row(
                entry["backend"],
                f"{100 * entry['accuracy']:.2f} %",
                f"{100 * entry['same_answer']:.1f} %",
                f"{entry['bytes'] / 2**20:.1f} MiB",
                " / ".join(ratio(times[size]) for size in sorted(times)),
            )
        )
    return lines


def many_tasks() -> list[str]:
    lines = []
    for entry in read("many_tasks")["tasks"]:
        task = entry["task"].replace("nlvr2", "reasoning").removesuffix("-lora")
        sizes = [f"{entry[name] / 2**20:.0f} MiB" for name in ("own_bytes", "alone_bytes")]
        lines.append(row(f"{task}, {entry['adapters']}", f"{1e3 * entry['attach_s']:.0f} ms", *sizes))
    return lines


def reading() -> list[str]:
    content = read("reading")
    return [
        row(f"{content[part]['records']:,}", f"{content[part]['seconds']:.1f} s",
            f"{content[part]['records_per_second']:,.0f}", f"{content[part]['rss_peak_bytes'] / 2**20:.0f} MiB")
        for part in ("quarter", "whole")
    ]  # fmt: skip


def startup() -> list[str]:
    content = read("startup")
    found = {(entry["measured"], entry["version"]): entry for entry in content["rows"]}
    titles = {
        "help": "`skiptune --help`",
        "models": "`skiptune models`",
        "refused recipe": "a refused recipe",
        "predict": "`skiptune predict` with a slim ViLT",
        "import torch": "`import torch` alone",
    }
    return [
        row(title, *(f"{found[measured, version]['median_s']:.2f} s" for version in ("before", "now")))
        for measured, title in titles.items()
    ]


def adapter_start() -> list[str]:
    content = read("adapter_start")["summary"]
    titles = {"zero": "`zero`", "paper": "`paper`", "fit": "`fit`"}
    return [
        row(f"{plan}, {title}", *(f"{100 * content[plan][start][step]['accuracy']['mean']:.1f} %"
                                  for step in ("0", "5", "20", "60")))
        for plan in ("last", "spread") for start, title in titles.items()
    ]  # fmt: skip


def skip_adapters() -> list[str]:
    found = read("skip_adapters")["summary"]
    return [
        row(f"`{one['skip_adapter']}`", str(one["num_skip"]), percent(one["relative_macs"], 1), f"{one['trained']:,}",
            f"{100 * one['test_mean']:.2f} ± {100 * one['test_sd']:.2f} %")
        for one in found
    ]  # fmt: skip


def easy_vqa_chat() -> list[str]:
    found = read("easy_vqa_chat")["summary"]

    def score(name: str) -> str:
        sd = found.get(f"{name}_sd")
        return f"{100 * found[f'{name}_mean']:.2f}" + (" %" if sd is None else f" ± {100 * sd:.2f} %")

    def seconds(name: str) -> str:
        return f"{found[f'{name}_seconds']:.0f} s"

    return [
        row("4 of 12 layers skipped, LoRA and folded skip adapters", score("skipped"), seconds("skipped")),
        row("LoRA, nothing skipped", score("unskipped"), seconds("unskipped")),
        row("before training, nothing skipped", f"{100 * found['untrained_unskipped_mean']:.2f} %", ""),
        row("before training, the same layers skipped", f"{100 * found['untrained_skipped_mean']:.2f} %", ""),
    ]  # fmt: skip


def decoders() -> list[str]:
    found: dict[tuple[str, str, str, int], dict[str, float]] = {
        (one["model"], one["pass"], one["form"], one["threads"]): one for one in read("decoder_latency")["rows"]
    }
    lines = []
    for model, title in (("smollm2", "SmolLM2-135M"), ("llava", "a small LLaVA")):
        for step in ("prefill", "decode step"):
            for form in ("plain", "slim", "bottleneck"):
                threads = [found[model, step, form, count] for count in (1, 2)]
                saved = percent(-threads[0]["saved_macs"], 1)
                cells = [f"{ratio(one['ratio'])}, {one['realised']:.2f}" for one in threads]
                lines.append(row(f"{title}, {step}, {form}", saved, *cells))
    return lines


def predict_file() -> list[str]:
    found = read("predict_file")["throughput"]
    titles = {"easy-vqa": "easy-VQA, several questions about a picture", "photographs": "a photograph for every row"}
    return [
        row(titles[name], f"{one['rows_per_second']['bare']:.0f}", f"{one['rows_per_second']['file']:.0f}",
            f"{one['ratio']['median']:.2f} ({one['ratio']['least']:.2f} to {one['ratio']['most']:.2f})",
            f"{1000 * one['preparing_s']:.1f} ms", f"{1000 * one['forward_s']:.1f} ms")
        for name, one in found.items()
    ]  # fmt: skip


def serve() -> list[str]:
    return [
        row(one["name"], str(one["clients"]), f"{one['per_second']:.0f}", f"{one['p50_ms']:.0f} ms",
            f"{one['p99_ms']:.0f} ms", f"{one['mean_batch']:.1f}", f"{one['of_bare']:.2f}",
            f"{one['ms']:.1f} / {one['bare_ms']:.1f} ms")
        for one in read("serve")["load"]
    ]  # fmt: skip


def tokens_throughput() -> list[str]:
    lines = []
    for model in read("tokens_throughput")["models"]:
        for one in model["rows"]:
            keep = list((one["tokens"] or {"keep": {}})["keep"].values())
            low, high = one["speedup_interval"]
            lines.append(
                row(f"{model['model']}, {one['plan']}", str(len(one["skipped"])),
                    f"{100 * keep[-1]:.0f} %" if keep else "all", percent(-one["saved"]),
                    f"{one['speedup']:.2f} ({low:.2f} to {high:.2f})", f"{one['over_ours']:.2f}",
                    f"{one['arithmetic']:.2f}", f"{one['realised']:.2f}")
            )  # fmt: skip
    return lines


def tokens_easy_vqa() -> list[str]:
    return [
        row(f"`{one['method']}`", change(one["relative_macs"]),
            " / ".join(ratio(one["latency"][batch]) for batch in ("1", "32")),
            f"{100 * one['test_mean']:.2f} ± {100 * one['test_sd']:.2f} %")
        for one in read("tokens_easy_vqa")["summary"]
    ]  # fmt: skip


def tokens_compared() -> list[str]:
    content = read("compare_easy-vqa-tokens")
    (plain,) = (one for one in content["rows"] if one["method"] == "lora")
    return [row(f"`{one['method']}`", f"{one['skipped']:.2g}", *measured(one, plain)) for one in content["rows"]]


TABLES: tuple[Callable[[], list[str]], ...] = (
    easy_vqa, daquar, flickr8k, demo, latency_vilt, latency_meter, search_quality, search_cost, open_steps,
    slim_loading, encoder_cache, vilt_step, onnx, many_tasks, reading, startup, adapter_start, skip_adapters,
    easy_vqa_chat, decoders, predict_file, serve, tokens_throughput,
    tokens_easy_vqa, tokens_compared,
)  # fmt: skip

if __name__ == "__main__":
    for table in TABLES:
        print(f"\n{table.__name__}", *table(), sep="\n")
