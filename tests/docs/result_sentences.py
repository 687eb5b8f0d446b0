"""Parts of sentences of ``docs/results`` with their numbers, made of the JSON files that the benchmarks wrote."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, stdev
from typing import Any

from result_cells import MINUS, read
from time_sentences import TIME_SENTENCES


def _difference(name: str, searched: str, rival: str) -> Any:
    (found,) = (
        pair for pair in read(f"compare_{name}")["paired"] if (pair["searched"], pair["rival"]) == (searched, rival)
    )
    return found


def _points(name: str, searched: str, rival: str) -> str:
    found = _difference(name, searched, rival)
    return f"{found['mean']:.1f} ± {found['se']:.1f}".replace("-", MINUS)


def _size(name: str, searched: str, rival: str) -> str:
    return _points(name, searched, rival).removeprefix(MINUS)


def _row(name: str, row_name: str) -> Any:
    (found,) = (entry for entry in read(f"compare_{name}")["rows"] if entry["name"] == row_name)
    return found


def _mean(name: str, row_name: str) -> float:
    return float(_row(name, row_name)["metric_mean"])


def _text_alone(name: str) -> float:
    return 100 * float(read("question_only")["sets"][name]["accuracy"])


def easy_vqa() -> list[str]:
    name = "easy-vqa"
    kept, demo = read("kept_adapters"), read("easy_vqa_demo")
    adapters = kept["summary"][name]
    seconds = {
        kind: sum(run["seconds"] for run in kept["runs"] if run["adapters"] == kind) for kind in ("lora", "bottleneck")
    }
    lora = adapters["lora_minus_bottleneck"]
    tested = _difference(name, "das-lora-4", "random-lora-4"), _difference(name, "das-lora", "random-lora")
    below = [-_difference(name, f"das-lora-{count}", "full")["mean"] for count in range(1, 7)]
    bottlenecks = _mean(name, "adapters") - _mean(name, "das-bottleneck-4")
    skip = {(one["skip_adapter"], one["num_skip"]): 100 * one["test_mean"] for one in read("skip_adapters")["summary"]}
    start = read("adapter_start")["summary"]["last"]
    return [
        f"alone gives {_text_alone(name):.1f} %",
        f"the latency is {_row(name, 'das-lora-4')['latency_s'] / _row(name, 'full')['latency_s']:.2f}× and accuracy "
        f"{_size(name, 'das-lora-4', 'full')} points below full tuning",
        f"skipping costs {bottlenecks:.1f} points.",
        f"(parallel adapters) is {_mean(name, 'parallel') - _mean(name, 'das-lora-4'):.1f} above",
        f"cost {bottlenecks:.1f} points against",
        f"by {_size(name, 'das-lora-4', 'random-lora-4')} points with 4 blocks (p = {tested[0]['p_t']:.3f}",
        f"{_size(name, 'das-lora', 'random-lora')} over 1 to 6 blocks (p = {tested[1]['p_t']:.3f}",
        f"no difference was found: {_size(name, 'das-bottleneck', 'random-bottleneck')}",
        f"the search is {_size(name, 'das-lora-4', 'heuristic-lora-4')} points below it with LoRA",
        f"{_size(name, 'das-bottleneck-4', 'heuristic-bottleneck-4')} above it with bottlenecks",
        f"within {max(below[:4]):.1f} points of full tuning. With five it is {below[4]:.1f} below, with six "
        f"{below[5]:.1f}",
        f"The demo answers {100 * demo['metric']['test']['accuracy']:.2f} % of the test questions, with "
        f"{-100 * demo['relative_macs']:.0f} % fewer operations and "
        f"{100 * (1 - demo['latency']['batches']['1']['slim']['ratio']):.0f} % less time",
        f"beside it, answers {100 * demo['baselines']['unskipped']['test']['accuracy']:.2f} % of the same "
        f"{demo['metric']['test']['count']:,}",
        f"by {skip['folded', 4] - skip['none', 4]:.2f} points with 4 blocks skipped and by "
        f"{skip['folded', 6] - skip['none', 6]:.2f} with 6",
        f"`none` by {skip['bottleneck', 4] - skip['none', 4]:.2f} and {skip['bottleneck', 6] - skip['none', 6]:.2f}",
        f"({100 * start['fit']['0']['accuracy']['mean']:.1f} % against "
        f"{100 * start['zero']['0']['accuracy']['mean']:.1f} %",
        *(f"{title} {100 * adapters[kind]['test']['mean']:.1f} ± {100 * adapters[kind]['test']['sd']:.1f} %"
          for kind, title in (("lora", "LoRA in kept blocks reaches"), ("bottleneck", "the paper's bottlenecks"))),
        f"LoRA takes {seconds['lora'] / seconds['bottleneck']:.2f}× as long to train",
        f"ahead by {100 * lora['mean']:.1f} points with a standard deviation of {100 * lora['sd']:.1f}",
    ]  # fmt: skip


def photographs() -> list[str]:
    long = read("nlvr_lora")["rows"]
    faster = {name: _row(name, "das-lora-4")["latency_s"] / _row(name, "lora")["latency_s"]
              for name in ("daquar", "flickr8k")}  # fmt: skip
    best = max(_mean("flickr8k", name) for name in ("lora", "das-lora-4", "random-lora-4"))
    return [
        f"it is {_size('daquar', 'das-lora-4', 'lora')} points (standard error) above LoRA without skipping, at "
        f"{faster['daquar']:.2f}× the latency",
        f"alone gives {_text_alone('daquar'):.1f} %",
        f"Searched less random plans: {_points('daquar', 'das-lora-4', 'random-lora-4')} points",
        f"the best heuristic: {_points('daquar', 'das-lora-4', 'heuristic-lora-4')}",
        f"(LoRA is {_mean('daquar', 'lora') - _text_alone('daquar'):.1f} points above the question alone)",
        f"costs {_size('flickr8k', 'das-lora-4', 'lora')} points (standard error) against LoRA without skipping, at "
        f"{faster['flickr8k']:.2f}× the latency",
        f"Searched less random plans: {_points('flickr8k', 'das-lora-4', 'random-lora-4')} points, no",
        f"{best - _mean('flickr8k', 'zero-shot'):.1f} points at best",
        f'always saying "true", which gives {_text_alone("nlvr, always true"):.1f} %',
        f"judges {long[0]['accuracy']:.1f} % right after {long[0]['steps']} steps and {long[1]['accuracy']:.1f} % "
        f"after "
        f"{long[1]['steps']}, while its training loss falls from {long[0]['train_loss']:.2f} to "
        f"{long[1]['train_loss']:.2f}",
    ]


def search() -> list[str]:
    quality, models = read("search_quality"), read("search_cost")["models"].values()
    final = quality["final"]["easy-vqa"]["4"]
    photos = [plan["final_accuracy"] for plan in quality["final"]["daquar"]["4"]["plans"]]
    four, two = ({name: quality["datasets"][name][count] for name in ("easy-vqa", "daquar")} for count in "42")
    default, paper, own = (four["easy-vqa"][name] for name in ("default", "paper", "default_own"))
    cost = {name: sorted(f"{model[f'{name}cost_ratio_time']:.2f}" for model in models) for name in ("", "released_")}
    rows = read("open_share")["rows"]
    opened = [mean(entry["accuracy_by_seed"].values()) for entry in rows]

    def places(found: Any, name: str, joined: str = " and ") -> str:
        return joined.join(f"{found[data][name]['percentile_mean']:.1f} %" for data in ("easy-vqa", "daquar"))

    return [
        f"{four['easy-vqa']['default']['percentile_mean']:.1f} % have a lower loss than the default search's plan on "
        f"easy-VQA, and {four['daquar']['default']['percentile_mean']:.1f} % on DAQUAR",
        f"the default stands at {places(two, 'default', ' on easy-VQA and ')} on DAQUAR",
        f"`policy` at {places(two, 'paper')}",
        f"`greedy` (cost {two['easy-vqa']['greedy']['cost_ratio']:.2f}×) at {places(two, 'greedy')}",
        f"`influence` ({two['daquar']['influence']['percentile_mean']:.1f} %) and `leave_one_out` "
        f"({two['daquar']['leave_one_out']['percentile_mean']:.1f} %) are ahead of it",
        f"random plans reach {100 * final['random_mean']:.1f} %",
        f"{100 * default['final_accuracy_mean']:.1f} ± {100 * default['final_accuracy_se']:.1f} %",
        f"policy's {100 * paper['final_accuracy_mean']:.1f} ± {100 * paper['final_accuracy_se']:.1f} %",
        f"`greedy`'s {100 * four['easy-vqa']['greedy']['final_accuracy_mean']:.1f} %, those of `influence` "
        f"{100 * four['easy-vqa']['influence']['final_accuracy_mean']:.1f} %",
        f"correlate by {final['correlation']:.2f}".replace("-", MINUS),
        f"this model reaches {100 * mean(map(mean, photos)):.1f} % whatever is skipped ({len(photos)} plans, one "
        f"seed, from "
        f"{100 * min(map(min, photos)):.1f} to {100 * max(map(max, photos)):.1f} %)",
        f"the default's plans stand at {places(four, 'default_own')} of this landscape, and end at "
        f"{100 * own['final_accuracy_mean']:.1f} ± {100 * own['final_accuracy_se']:.1f} %",
        f"Two such seeds have {own['agreement']:.1f} (easy-VQA) and "
        f"{four['daquar']['default_own']['agreement']:.1f} (DAQUAR)",
        f"({default['likely_sets']:.0f} and {four['daquar']['default']['likely_sets']:.0f} of 495 here)",
        f"take {cost[''][0]} to {cost[''][-1]} times as long as the training alone; with the released code's "
        f"search and "
        f"restart, {cost['released_'][0]} to {cost['released_'][-1]} times",
        f"one seed: {opened[0]:.1f} % after a search of 68 of 683 steps, {opened[1]:.1f} % after 137, "
        f"{opened[2]:.1f} % after 205",
        *_hard_budgets(),
        *_search_length(),
    ]


def _length_rows(setting: str, budget: float, steps: Sequence[int], *changes: str) -> list[Any]:
    return [
        one
        for one in read("search_length")[setting]
        if (one["budget"], one["changes"]) == (budget, list(changes)) and one["steps"] in steps
    ]


def _scores(rows: Sequence[Any], name: str = "score") -> str:
    *others, last = (f"{one[name]:.1f}" for one in rows)
    return f"{', '.join(others)} and {last}"


def _search_length() -> list[str]:
    short, long = (_length_rows("easy-vqa", 8, steps) for steps in ((12, 24), (64,)))
    four = _length_rows("easy-vqa", 4, (12, 64))
    tokens = _length_rows("easy-vqa", -0.5, (12, 64), "search.tokens=merge")
    again = [one["again"] for one in short + long]
    return [
        f"end with {mean(one['score'] for one in short):.1f} % on easy-VQA, and one of 64 steps with "
        f"{mean(one['score'] for one in long):.1f} %",
        f"reach {min(again):.1f} to {max(again):.1f} %",
        f"{four[0]['score']:.1f} % after 12 steps, {four[1]['score']:.1f} % after 64 (one seed)",
        f"it ended with {tokens[0]['score']:.1f} % on easy-VQA, with 64 with {tokens[1]['score']:.1f} % (one seed)",
    ]


def _hard_budgets() -> list[str]:
    """Of 8 of easy-VQA's 12 blocks."""
    setting = read("hard_budgets")["settings"]["easy-vqa"]
    means = {one["method"]: one for one in setting["summary"]}
    searched = [one for one in setting["runs"] if one["method"] != "lora" and "random" not in one["method"]]
    best = max(searched, key=lambda one: float(one["score"]))["skipped"]
    found = [one for one in searched if one["skipped"] == best]
    scores, others = ([one["score"] for one in searched if (one in found) is same] for same in (True, False))
    examples = {
        method: sorted({one["compared_examples"] for one in searched if one["method"] == method})
        for method in ("bandit", "bandit-more", "greedy")
    }
    (default,), more, (greedy,) = examples["bandit"], examples["bandit-more"], examples["greedy"]
    words = {1: "one", 2: "two"}
    count = {method: words[sum(one["method"] == method for one in found)] for method in examples}
    return [
        f"random plans end {means['random']['lost']:.1f} points below LoRA on easy-VQA and the default search's "
        f"{means['bandit']['lost']:.1f}; with about four times the comparisons it is "
        f"{means['bandit-more']['lost']:.1f}",
        f"The default search is {means['bandit']['over_random']:.1f} ± {means['bandit']['over_random_se']:.1f} points "
        f"above random plans",
        f"blocks {', '.join(best[:-1])} and {best[-1]} skipped end with {min(scores):.1f} to {max(scores):.1f} %, all "
        f"other searched plans with {min(others):.1f} to {max(others):.1f} %",
        f"finds them with {count['bandit']} of three seeds, `greedy` with {count['greedy']} too, `bandit-more` with "
        f"{count['bandit-more']}",
        f"comparisons run on {more[0]:,} to {more[-1]:,} examples instead of {default:,}, those of `greedy` on "
        f"{greedy:,}",
    ]


def _photographs_broken() -> list[str]:
    """What a search did to the training on DAQUAR."""
    rows = _length_rows("daquar", -0.5, (64,), "search.tokens=merge")
    (slow,) = _length_rows("daquar", -0.5, (64,), "train.learning_rate=3e-4", "search.tokens=merge")
    return [
        f"end at {_scores(rows, 'again')} %",
        f"after their searches at {_scores(rows)} %",
        f"with seed {slow['seed']} at {slow['score']:.1f} %",
    ]


def _paired(method: str, name: str = "tokens_easy_vqa") -> tuple[float, float]:
    """Mean and standard error of the mixture's distance from a method over seeds, in points."""
    found = {(run["method"], run["seed"]): 100 * run["test_accuracy"] for run in read(name)["runs"]}
    values = [found["both", seed] - found[method, seed] for method_, seed in found if method_ == method]
    return mean(values), stdev(values) / len(values) ** 0.5


def _below(method: str, name: str, digits: int = 1) -> str:
    """How much worse the mixture is than a method."""
    apart, error = _paired(method, name)
    assert apart < 0
    return f"{-apart:.{digits}f} ± {error:.{digits}f}"


def image_tokens() -> list[str]:
    rows = [one for model in read("tokens_throughput")["models"] for one in model["rows"]]
    speeds, reached = (sorted(one[name] for one in rows) for name in ("speedup", "realised"))
    apart = {
        name: "{:.2f} ± {:.2f}".format(*_paired(name)) for name in ("lora", "blocks", "tokens", "random", "uniform")
    }
    (both,) = (one for one in read("tokens_easy_vqa")["summary"] if one["method"] == "both")
    skipped = {(one["skip_adapter"], one["num_skip"]): one for one in read("skip_adapters")["summary"]}
    six = skipped["folded", 6]
    (chat,) = (one for one in read("tokens_easy_vqa_chat")["summary"] if one["method"] == "both")
    small = read("token_ways")["models"]["vilt-scenes"]["batches"]["1"].values()
    times, operations = (sorted(one[name] for one in small) for name in ("ratio", "arithmetic"))
    rivals = {name: _size("easy-vqa-tokens", "das-lora-macs-0.5", name)
              for name in ("pumer-macs-0.5", "tome-macs-0.5", "tome-lora-macs-0.5", "lora")}  # fmt: skip
    return [
        f"{speeds[0]:.2f} to {speeds[-1]:.2f} times as fast; that is {reached[0]:.2f} to {reached[-1]:.2f} of what",
        f"half of the operations go for {apart['lora'].removeprefix('-')} points (mean difference to LoRA",
        f"at batch 32 it takes {both['latency']['32']:.2f}× the time",
        f"{apart['blocks']} points above blocks, {apart['tokens']} above tokens",
        f"[{100 * six['test_mean']:.2f} ± {100 * six['test_sd']:.2f} %](easy-vqa.md#what-stands-in-a-skipped-block)",
        f"at three seeds: {apart['random']} points",
        f"The uniform schedule is {apart['uniform']} below",
        f"took {100 * (both['search_cost'] - 1):.0f} % of the time of search and training",
        f"{_below('lora', 'tokens_daquar')} points on DAQUAR and {_below('lora', 'tokens_flickr8k')} on Flickr8k",
        f"the searched mixture is {_below('random', 'tokens_daquar')} points worse than random ones",
        "On Flickr8k it is {:.1f} ± {:.1f} better".format(*_paired("random", "tokens_flickr8k")),
        *_photographs_broken(),
        f"{_below('lora', 'tokens_easy_vqa_chat', 2)} points of exact match below LoRA",
        f"takes {chat['latency']['32']:.2f}× the time at batch 32, which is "
        f"{1 / chat['latency']['32']:.1f} times as fast, not twice",
        f"and {chat['latency']['1']:.2f}× at batch 1",
        f"{times[0]:.2f} to {times[-1]:.2f} times that of no schedule",
        f"at {operations[0]:.2f} to {operations[-1]:.2f} of the operations",
        f"{rivals['pumer-macs-0.5']} points above PuMer's recipe and {rivals['tome-macs-0.5']} above ToMe at inference "
        f"alone; above ToMe with LoRA by {rivals['tome-lora-macs-0.5']}, which",
        f"half of the operations cost {rivals['lora']} points in so short a training "
        f"(p = {_difference('easy-vqa-tokens', 'das-lora-macs-0.5', 'lora')['p_t']:.3f}",
    ]


def index() -> list[str]:
    """What the summary repeats of the pages."""
    (both,) = (one for one in read("tokens_easy_vqa")["summary"] if one["method"] == "both")
    latency = {name: _row(name, "das-lora-4")["latency_s"] / _row(name, rival)["latency_s"]
               for name, rival in (("easy-vqa", "full"), ("daquar", "lora"))}  # fmt: skip
    five = _row("easy-vqa", "das-lora-5")["latency_s"] / _row("easy-vqa", "full")["latency_s"]
    gone = "{:.2f} ± {:.2f}".format(*_paired("lora")).removeprefix("-")
    assert both["latency"]["1"] > 1
    return [
        f"{_mean('easy-vqa', 'parallel') - _mean('easy-vqa', 'das-lora-4'):.1f} points below the best of them on "
        f"easy-VQA",
        f"in 240 steps: {_mean('easy-vqa', 'adapters') - _mean('easy-vqa', 'das-bottleneck-4'):.1f} points below",
        f"{latency['easy-vqa']:.2f}× the latency on easy-VQA; {latency['daquar']:.2f}× with `meter-photos`",
        f"by {_size('easy-vqa', 'das-lora-4', 'random-lora-4')} points on easy-VQA with LoRA",
        f"half of the operations for {gone} points on easy-VQA",
        f"{_below('lora', 'tokens_daquar')} points on DAQUAR and {_below('lora', 'tokens_flickr8k')} on Flickr8k",
        f"for {_below('lora', 'tokens_easy_vqa_chat', 2)} points of exact match",
        f"{_size('easy-vqa-tokens', 'das-lora-macs-0.5', 'pumer-macs-0.5')} points above PuMer's recipe",
        f"4 of 12 blocks for {100 * (1 - latency['easy-vqa']):.0f} % less time and half a point, 5 for "
        f"{100 * (1 - five):.0f} %",
    ]


#: Page → what makes its sentences.
SENTENCES = {
    "index": index,
    "easy-vqa": easy_vqa,
    "photographs": photographs,
    "search": search,
    "image-tokens": image_tokens,
    **TIME_SENTENCES,
}
