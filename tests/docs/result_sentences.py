"""Parts of sentences of ``docs/results.md`` with their numbers, made of the JSON files that the benchmarks wrote."""

from __future__ import annotations

from typing import Any

from result_tables import MINUS, read


def _difference(name: str, searched: str, rival: str) -> Any:
    (found,) = (
        pair for pair in read(f"compare_{name}")["paired"] if (pair["searched"], pair["rival"]) == (searched, rival)
    )
    return found


def _mean(name: str, row_name: str) -> float:
    (found,) = (entry for entry in read(f"compare_{name}")["rows"] if entry["name"] == row_name)
    return float(found["metric_mean"])


def sentences() -> list[str]:
    """Parts of sentences of the page, with their numbers."""

    def points(name: str, searched: str, rival: str) -> str:
        found = _difference(name, searched, rival)
        return f"{found['mean']:.1f} ± {found['se']:.1f}".replace("-", MINUS)

    def size(name: str, searched: str, rival: str) -> str:
        return points(name, searched, rival).removeprefix(MINUS)

    text = {name: 100 * entry["accuracy"] for name, entry in read("question_only")["sets"].items()}
    kept, cost = read("kept_adapters"), read("search_quality")
    adapters = kept["summary"]["easy-vqa"]
    seconds = {
        kind: sum(run["seconds"] for run in kept["runs"] if run["adapters"] == kind) for kind in ("lora", "bottleneck")
    }
    final, two = cost["final"]["easy-vqa"]["4"], {name: cost["datasets"][name]["2"] for name in ("easy-vqa", "daquar")}
    four = cost["datasets"]["easy-vqa"]["4"]
    step, long = read("meter_step"), read("nlvr_lora")["rows"]
    tested = _difference("easy-vqa", "das-lora-4", "random-lora-4"), _difference("easy-vqa", "das-lora", "random-lora")
    return [
        f"alone gives {text['easy-vqa']:.1f} %",
        f"question alone gives {text['daquar']:.1f} %",
        f'always "true" gives {text["nlvr, always true"]:.1f} %',
        f"it is {size('easy-vqa', 'das-lora-4', 'full')} points below full tuning",
        f"{_mean('easy-vqa', 'parallel') - _mean('easy-vqa', 'das-lora-4'):.1f} below the best method",
        f"cost {_mean('easy-vqa', 'adapters') - _mean('easy-vqa', 'das-bottleneck-4'):.1f} points against",
        f"by {size('easy-vqa', 'das-lora-4', 'random-lora-4')} points with 4 blocks (p = {tested[0]['p_t']:.3f}",
        f"{size('easy-vqa', 'das-lora', 'random-lora')} over 1 to 6 blocks (p = {tested[1]['p_t']:.3f}",
        f"no difference was found: {size('easy-vqa', 'das-bottleneck', 'random-bottleneck')}",
        f"the search is {size('easy-vqa', 'das-lora-4', 'heuristic-lora-4')} points below it with LoRA",
        f"{size('easy-vqa', 'das-bottleneck-4', 'heuristic-bottleneck-4')} above it with bottlenecks",
        f"{size('daquar', 'das-lora-4', 'lora')} points (standard error) above LoRA",
        f"Searched less random plans: {points('daquar', 'das-lora-4', 'random-lora-4')} points",
        f"the best heuristic: {points('daquar', 'das-lora-4', 'heuristic-lora-4')}",
        f"Skipping costs {size('flickr8k', 'das-lora-4', 'lora')} points",
        f"({points('flickr8k', 'das-lora-4', 'random-lora-4')})",
        f"LoRA {_mean('nlvr', 'lora'):.1f} %, DAS with LoRA",
        f"and 4 of 12 blocks skipped {_mean('nlvr', 'das-lora-4'):.1f} %",
        f"random plans {_mean('nlvr', 'random-lora-4'):.1f} %",
        f"judges {long[0]['accuracy']:.1f} % right after 300 steps and {long[1]['accuracy']:.1f} % after 818",
        *(f"{title} {100 * adapters[kind]['test']['mean']:.1f} ± {100 * adapters[kind]['test']['sd']:.1f} %"
          for kind, title in (("lora", "LoRA"), ("bottleneck", "the paper's bottlenecks"))),
        f"LoRA takes {seconds['lora'] / seconds['bottleneck']:.2f}× as long to train",
        f"the default stands at {two['easy-vqa']['default']['percentile_mean']:.1f} % on easy-VQA and "
        f"{two['daquar']['default']['percentile_mean']:.1f} % on DAQUAR",
        f"`policy` at {two['easy-vqa']['paper']['percentile_mean']:.1f} %",
        f"{two['daquar']['paper']['percentile_mean']:.1f} %",
        f"random plans reach {100 * final['random_mean']:.1f} %",
        f"{100 * four['default']['final_accuracy_mean']:.1f} ± {100 * four['default']['final_accuracy_se']:.1f} %",
        f"policy's {100 * four['paper']['final_accuracy_mean']:.1f} ± {100 * four['paper']['final_accuracy_se']:.1f} %",
        f"correlate by {final['correlation']:.2f}".replace("-", MINUS),
        f"takes {step['step']['peak_gib']:.1f} GiB at its peak, {step['step']['ratio']:.2f}× that of the released code",
        f"a round of the search {step['round']['peak_gib']:.1f} GiB",
        f"{step['times']['step_to_recorded']['median']:.2f}× the processor time of a graph",
        f"and {step['times']['step_to_bound']['median']:.2f}× of what its parts need",
    ]  # fmt: skip
