"""Tables of results that tell time and memory, made of the JSON files of the benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from result_cells import Table, percent, ratio, read, row


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


def clip() -> list[str]:
    titles = {
        "slim": "slim",
        "slim, no skip adapters": "slim, without skip adapters",
        "slim, oneDNN": "slim, prepared",
        "slim, onnxruntime": "slim, in onnxruntime, against the original there",
    }
    found = {one["model"]: one for one in read("clip_latency")["rows"]}
    return [
        row(title, ratio(found[name]["ratio"]), "{:.2f} to {:.2f}".format(*found[name]["ratio_p10_p90"]),
            ratio(found[name]["processor_ratio"]))
        for name, title in titles.items()
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


def vilt_step() -> list[str]:
    content = read("vilt_step")
    titles = {"bottleneck": "bottleneck adapters", "lora": "LoRA", "full": "full tuning, transformers' model"}
    return [row(title, f"{content[name]['peak_gib']:.1f} GiB", f"{content[name]['seconds']:.1f} s")
            for name, title in titles.items()]  # fmt: skip


def encoder_cache() -> list[str]:
    models = read("encoder_cache")["models"]
    titles = {"meter-photos": "`meter-photos`", "meter-b16": "METER-B/16, 288 px"}
    return [row(title, ratio(models[name]["step"]["ratio"]), ratio(models[name]["round"]["ratio"]))
            for name, title in titles.items()]  # fmt: skip


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


TIME_TABLES = (
    Table("latency", "ViLT-B/32", latency_vilt),
    Table("latency", "METER", latency_meter),
    Table("latency", "CLIP", clip),
    Table("latency", "ONNX", onnx),
    Table("language-models", "Latency of decoders", decoders),
    Table("image-tokens", "Throughput at full size", tokens_throughput),
    Table("running", "A training step of ViLT-B/32", vilt_step),
    Table("running", "Cached encoder outputs", encoder_cache),
    Table("running", "Loading slim models", slim_loading),
    Table("running", "Many tasks on one base", many_tasks),
    Table("running", "Reading records", reading),
    Table("running", "Start-up", startup),
    Table("running", "Files of answers", predict_file),
    Table("running", "The service", serve),
)
