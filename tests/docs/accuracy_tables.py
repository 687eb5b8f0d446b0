"""Tables of results that tell how well models answer and plans are found, made of the JSON files of the benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean
from typing import Any

from result_cells import Table, change, percent, ratio, read, row, spread


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


def nlvr() -> list[str]:
    return compared("nlvr", [("lora", (0,)), ("das-lora", (4,)), ("random-lora", (4,))])


def demo() -> list[str]:
    content = read("easy_vqa_demo")
    latency = {size: entry["slim"]["ratio"] - 1 for size, entry in content["latency"]["batches"].items()}
    sizes, seconds = content["parameters"], content["seconds"]
    trained = sizes["trained"] - sizes["head"]
    search = f"{seconds['search']:.0f} s ({content['plan']['comparisons']['seconds']:.0f} s)"
    return [
        row("test accuracy, slim model", f"{100 * content['metric']['test']['accuracy']:.2f} %"),
        row("operations against the original model", percent(content["relative_macs"])),
        row("latency against the original, batch 1 / 32", f"{percent(latency['1'])} / {percent(latency['32'])}"),
        row("parameters trained, without the head",
            f"{trained:,} of {sizes['original']:,} ({100 * trained / sizes['original']:.1f} %)"),
        row("search (comparisons in it), training, evaluation, timing",
            f"{search}, " + ", ".join(f"{seconds[part]:.0f} s" for part in ("train", "evaluation", "latency"))),
    ]  # fmt: skip


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


def smollm2_tasks() -> list[str]:
    tasks = {"flickr8k": "captions", "daquar": "DAQUAR"}
    names = {
        "lora": "LoRA, nothing skipped",
        "ours": "the default search, LoRA, folded skip adapters",
        "fitted": "the same, skip adapters start as fits",
        "shortgpt": "ShortGPT's layers, LoRA",
        "replaceme": "ReplaceMe, a linear map, not trained again",
    }
    return [
        row(tasks[one["task"]], names[one["method"]], f"{100 * one['score']:.1f} %", f"{100 * one['relative']:.1f} %",
            f"{one['loss']:.2f}", f"{100 * one['trained']:.1f} %", ratio(one["time"]))
        for one in read("smollm2_tasks")["summary"]
    ]  # fmt: skip


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


def search_length() -> list[str]:
    found: dict[tuple[str, float, int], list[Any]] = {}
    for setting, rows in read("search_length").items():
        for one in rows:
            name = ", ".join([setting, *(change.partition(".")[2] for change in one["changes"])])
            found.setdefault((name, one["budget"], one["steps"]), []).append(one)
    return [
        row(name, f"{budget:g} of 12" if budget > 0 else change(budget), f"{steps}", f"{len(runs)}",
            f"{mean(one['score'] for one in runs):.1f} %",
            f"{mean(one['again'] for one in runs):.1f} %" if "again" in runs[0] else "")
        for (name, budget, steps), runs in found.items()
    ]  # fmt: skip


def hard_budgets() -> list[str]:
    names = {"lora": "LoRA, nothing skipped", "random": "random plans"}

    def points(one: Any, name: str) -> str:
        error = one[f"{name}_se"]
        return "" if one[name] is None else f"{one[name]:.1f}" + ("" if error is None else f" ± {error:.1f}")

    return [
        row(names.get(one["method"], f"`{one['method']}`"), f"{one['runs']}", f"{one['mean']:.1f} %",
            points(one, "lost") if one["method"] != "lora" else "", points(one, "over_random"))
        for one in read("hard_budgets")["settings"]["easy-vqa"]["summary"]
    ]  # fmt: skip


def landscape_smollm2() -> list[str]:
    tasks = read("landscape_smollm2")["tasks"]
    return [
        row(f"`{name}`", *(cell for task in tasks.values() for one in [task["strategies"][name]]
                           for cell in (f"{one['percentile_mean']:.1f} %", f"{one['regret_mean']:.3f}")))
        for name in tasks["captions"]["strategies"]
    ]  # fmt: skip


def _token_accuracies(name: str) -> list[str]:
    return [
        row(f"`{one['method']}`", change(one["relative_macs"]),
            " / ".join(ratio(one["latency"][batch]) for batch in ("1", "32")),
            f"{100 * one['test_mean']:.2f} ± {100 * one['test_sd']:.2f} %")
        for one in read(name)["summary"]
    ]  # fmt: skip


def tokens_easy_vqa() -> list[str]:
    return _token_accuracies("tokens_easy_vqa")


def tokens_photographs() -> list[str]:
    return [
        row(title, f"`{one['method']}`", change(one["relative_macs"]), f"{one['seeds']}",
            f"{100 * one['test_mean']:.1f} ± {100 * one['test_sd']:.1f} %")
        for title, name in (("DAQUAR", "tokens_daquar"), ("Flickr8k", "tokens_flickr8k"))
        for one in read(name)["summary"]
    ]  # fmt: skip


def tokens_prefill() -> list[str]:
    return _token_accuracies("tokens_easy_vqa_chat")


def token_ways() -> list[str]:
    models = read("token_ways")["models"]
    found = [(model, batch) for model in models for batch in models[model]["batches"]]
    return [
        row(f"`{way}`", *(f"{ratio(one['ratio'])} ({one['arithmetic']:.2f})" for model, batch in found
                          for one in [models[model]["batches"][batch][way]]))
        for way in models["vilt-scenes"]["batches"]["1"]
    ]  # fmt: skip


def tokens_compared() -> list[str]:
    content = read("compare_easy-vqa-tokens")
    (plain,) = (one for one in content["rows"] if one["method"] == "lora")
    return [row(f"`{one['method']}`", f"{one['skipped']:.2g}", *measured(one, plain)) for one in content["rows"]]


ACCURACY_TABLES = (
    Table("easy-vqa", "Methods compared", easy_vqa),
    Table("easy-vqa", "The demo", demo),
    Table("easy-vqa", "What stands in a skipped block", skip_adapters),
    Table("easy-vqa", "How skip adapters start", adapter_start),
    Table("photographs", "DAQUAR", daquar),
    Table("photographs", "Flickr8k", flickr8k),
    Table("photographs", "NLVR", nlvr),
    Table("search", "How good the searched plans are", search_quality),
    Table("search", "What the search costs", search_cost),
    Table("search", "How many steps a search takes", search_length),
    Table("search", "Where skipping costs accuracy", hard_budgets),
    Table("image-tokens", "Accuracy at half of the operations", tokens_easy_vqa),
    Table("image-tokens", "Photographs at half of the operations", tokens_photographs),
    Table("image-tokens", "The prefill of a language model", tokens_prefill),
    Table("image-tokens", "What each way takes itself", token_ways),
    Table("image-tokens", "Methods of others", tokens_compared),
    Table("language-models", "Answered by generating", easy_vqa_chat),
    Table("language-models", "Every plan of two layers", landscape_smollm2),
    Table("language-models", "A quarter of the layers", smollm2_tasks),
)
