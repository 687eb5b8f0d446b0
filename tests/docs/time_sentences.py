"""Parts of sentences of results that tell time and memory, made of the JSON files of the benchmarks."""

from __future__ import annotations

from result_cells import read


def language_models() -> list[str]:
    chat = read("easy_vqa_chat")
    before = [one["untrained"]["skipped"] for one in chat["runs"]]
    relative = [one["relative_macs"] for one in chat["runs"]]
    found = {(one["model"], one["pass"]): f"{one['ratio']:.2f}×" for one in read("decoder_latency")["rows"]
             if (one["form"], one["threads"]) == ("plain", 1)}  # fmt: skip
    score = {
        name: f"{100 * chat['summary'][f'{name}_mean']:.2f} %"
        for name in ("skipped", "unskipped", "untrained_unskipped")
    }
    return [
        f"the model answers {score['skipped']} of easy-VQA's test questions, and {score['unskipped']} with "
        f"LoRA and nothing skipped; before any training it answers {score['untrained_unskipped']}",
        f"Search and training together take "
        f"{chat['summary']['skipped_seconds'] / chat['summary']['unskipped_seconds']:.2f}× the time of LoRA",
        f"plans of different seeds differ: {100 * min(before):.1f} to {100 * max(before):.2f} %",
        f"a question takes {-100 * max(relative):.1f} to {-100 * min(relative):.1f} % fewer operations",
        f"SmolLM2-135M takes {found['smollm2', 'prefill']} the time and every further one "
        f"{found['smollm2', 'decode step']}; "
        f"of a small LLaVA {found['llava', 'prefill']} and {found['llava', 'decode step']}",
        *_landscape(),
        *_quarter(),
    ]


def _quarter() -> list[str]:
    found = {one["method"]: one for one in read("smollm2_tasks")["summary"]}
    others = [one for name, one in found.items() if name != "lora"]
    trained = [found[name]["loss"] for name in ("ours", "fitted", "shortgpt")]
    return [
        f"keep {100 * min(one['relative'] for one in others):.1f} to "
        f"{100 * max(one['relative'] for one in others):.1f} % of LoRA's ROUGE-L",
        f"By loss ReplaceMe's map ({found['replaceme']['loss']:.2f}) is nearer to LoRA ({found['lora']['loss']:.2f}) "
        f"than every plan that trained with so few steps ({min(trained):.2f} to {max(trained):.2f})",
        f"of our plan take {found['ours']['time']:.2f}× the time of LoRA",
        f"{100 * found['lora']['trained']:.1f} % are LoRA",
    ]


def _landscape() -> list[str]:
    captions, daquar = (read("landscape_smollm2")["tasks"][name] for name in ("captions", "daquar"))

    def better(name: str, joined: str = " and ") -> str:
        return joined.join(f"{one['strategies'][name]['percentile_mean']:.1f} %" for one in (captions, daquar))

    ours = better("bandit", " have a lower loss than the default search's plan on captions, and ")
    errors = [one["regret_se_of_texts"] for task in (captions, daquar) for one in task["strategies"].values()
              if "regret_se_of_texts" in one]  # fmt: skip
    return [
        f"{ours} on DAQUAR's questions",
        f"does better on both ({better('gate_probe')}), `influence` on captions "
        f"({captions['strategies']['influence']['percentile_mean']:.1f} %)",
        f"({captions['judge']['tokens']} scored tokens), and answers to DAQUAR's questions without their pictures "
        f"({daquar['judge']['tokens']})",
        f"a standard error of {min(errors):.2f} to {max(errors):.2f} over the texts",
        f"({captions['strategies']['random']['regret_mean']:.2f} and "
        f"{daquar['strategies']['random']['regret_mean']:.2f})",
        f"correlate by {captions['correlation']:.2f} (captions) and {daquar['correlation']:.2f} (DAQUAR)",
    ]


def running() -> list[str]:
    step, vilt = read("meter_step"), read("vilt_step")
    cache, tasks, commands = read("encoder_cache")["models"], read("many_tasks"), read("startup")["rows"]
    own, alone = ([one[name] / 2**20 for one in tasks["tasks"]] for name in ("own_bytes", "alone_bytes"))
    loaded = {(one["form"], one["adapters"]): one["load"]["ratio"] for one in read("slim_loading")["rows"]
              if one["skipped"] == 4}  # fmt: skip
    reading, files, service = read("reading"), read("predict_file"), read("serve")
    took = {(one["measured"], one["version"]): one["median_s"] for one in commands}
    rows = files["throughput"]
    sixteen = next(one for one in service["load"] if (one["name"], one["clients"]) == ("with batches", 16))
    return [
        f"takes {vilt['bottleneck']['peak_gib']:.1f} GiB with bottleneck adapters and "
        f"{vilt['lora']['peak_gib']:.1f} GiB with "
        f"LoRA, against {vilt['full']['peak_gib']:.1f} GiB with full tuning",
        f"takes {step['step']['peak_gib']:.1f} GiB at its peak, {step['step']['ratio']:.2f}× that of the released code",
        f"a round of the search {step['round']['peak_gib']:.1f} GiB",
        f"{step['times']['step_to_recorded']['median']:.2f}× the processor time of a graph",
        f"and {step['times']['step_to_bound']['median']:.2f}× of what its parts need",
        f"takes {cache['meter-photos']['step']['ratio']:.2f}× the processor time for `meter-photos` and "
        f"{cache['meter-b16']['step']['ratio']:.2f}× for METER-B/16",
        f"loaded in {loaded['standalone', 'lora']:.2f}× (LoRA) or {loaded['standalone', 'bottleneck']:.2f}× "
        f"(bottlenecks)",
        f"takes {loaded['adapters', 'lora']:.2f}× or {loaded['adapters', 'bottleneck']:.2f}×",
        f"{min(own):.0f} to {max(own):.0f} MiB of its own, instead of {min(alone):.0f} to {max(alone):.0f} MiB",
        f"getting its model takes {1e6 * tasks['switch']['median_s']:.1f} µs",
        f"({tasks['base_bytes'] / 2**20:.0f} MiB)",
        f"({tasks['to_alone']['vqa']:.2f}×); with LoRA, which cannot be merged into shared weights, "
        f"{tasks['to_alone']['vqa-lora']:.2f}×",
        f"{reading['whole']['records_per_second']:,.0f} records are read per second, and each further record takes "
        f"{reading['peak_bytes_per_further_record']:.0f} bytes",
        f"{took['models', 'now']:.2f} s of processor time instead of {took['models', 'before']:.2f} s in version "
        f"0.3, and "
        f"`skiptune predict` {took['predict', 'now']:.2f} s instead of {took['predict', 'before']:.2f} s",
        f"writes {rows['easy-vqa']['ratio']['median']:.2f} of the rows",
        f"and {rows['photographs']['ratio']['median']:.2f} where every row",
        "{10%:.0f} MB resident after a tenth of them, {50%:.0f} after half, {100%:.0f} after all".format(
            **{part: size / 1e6 for part, size in files["memory"]["resident_bytes"].items()}),
        f"clients get {sixteen['per_second']:.0f} answers a second, {sixteen['of_bare']:.2f} of the bare model's rate",
        f"{service['overload']['statuses']['200']:,} answers ({service['overload']['per_second']:.0f} a second), "
        f"{service['overload']['statuses']['503']:,} times 503",
        f"answer: {service['start_seconds']:.0f} s",
    ]  # fmt: skip


def latency() -> list[str]:
    content = read("latency")
    rows = [*content["rows"], *content["torch_kernels"]]
    found = {
        (
            one["model"],
            one["image"],
            one["batch"],
            one["skipped"],
            one["adapters"],
            one["kernels"],
        ): f"{one['ratio']:.2f}×"
        for one in rows
    }
    vilt = [found["vilt-b32", "384x384", 1, 4, adapters, kernels]
            for kernels in ("torch", "onednn") for adapters in ("lora", "bottleneck")]  # fmt: skip
    few = {found["meter-b16", image, 1, 4, "lora", "torch"] for image in ("288x288", "384x384")}
    many = {
        one["image"]: f"{one['ratio']:.2f}×"
        for one in rows
        if (one["model"], one["adapters"], one["kernels"]) == ("meter-b16", "lora", "torch")
        and one["skipped"] in (13, 14)
    }
    clip = {one["model"]: one for one in read("clip_latency")["rows"]}
    backends = {one["backend"]: [timed["ratio"] for timed in one["latency"]] for one in read("onnx")["rows"]}
    torch, _, eight_bits = read("onnx")["rows"]
    original = clip["original, transformers"]["macs_g"]
    whole, without = (clip[name]["macs_g"] / original for name in ("slim", "slim, no skip adapters"))
    return [
        f"takes {vilt[0]} the time with LoRA and {vilt[1]} with bottleneck adapters; prepared, {vilt[2]} and {vilt[3]}",
        f"takes the original to {found['vilt-b32', '384x384', 1, 0, 'none', 'onednn']}: that",
        f"METER takes {' / '.join(few)} the time with LoRA; with 13 or 14 of 35 layers, encoders too, "
        f"{many['288x288']} at "
        f"288 pixels and {many['384x384']} at 384",
        f"takes the original to {found['meter-b16', '288x288', 1, 0, 'none', 'onednn']} at 288 pixels",
        f"takes {clip['slim']['ratio']:.2f}× the time, and {clip['slim, oneDNN']['ratio']:.2f}× when prepared",
        f"By operations it is {whole:.2f}×, without skip adapters {without:.2f}×: these take "
        f"{100 * (whole - without):.1f} % of",
        f"takes {backends['onnx'][0]:.2f}× the time at batch 1 with the same answers, and "
        f"{backends['onnx-int8'][0]:.2f}× "
        f"with 8-bit weights, with {100 * eight_bits['same_answer']:.1f} % of them; at batch 32 it is "
        f"{backends['onnx'][1]:.2f}× and {backends['onnx-int8'][1]:.2f}×",
        f"go from {1e3 * torch['latency'][0]['p10_s']:.0f} to {1e3 * torch['latency'][0]['p90_s']:.0f} ms",
    ]


TIME_SENTENCES = {"language-models": language_models, "latency": latency, "running": running}
