"""What was measured, as people read it: one wording for a run's last lines, reports, cards, benchmarks, comparisons."""

from __future__ import annotations

from collections.abc import Mapping

from .formatting import change, counted, duration, milliseconds
from .intervals import FEWEST
from .measurements import Difference, Latency, Measured, Timing, busy_spread

#: The models of a run whose latency is compared.
TIMED = {"original": "original", "unskipped": "nothing skipped", "slim": "slim"}
#: Models and rules beside a run's own model; methods of ``compare`` have their own names.
BESIDE = {
    "unskipped": "nothing skipped",
    "random": "random plan",
    "full": "full tuning",
    "most_frequent": "most frequent answer",
    "mean_value": "mean value",
    "text_alone": "text alone",
    "chance": "chance",
}
BUSY = "the machine is busy: do not trust these times"
NO_DIFFERENCE = "no difference measured"


def beside(name: str, unit: str = "") -> str:
    """The name of a model or rule; ``unit`` is what a record is called."""
    return "question alone" if (name, unit) == ("text_alone", "questions") else BESIDE.get(name, name)


def share(value: float) -> str:
    """``81.25%``."""
    return f"{value:.2%}"


def quality(found: Measured, measure: str) -> str:
    """A headline with its interval: ``81.25% (79.27% to 83.09%)``; without, where that is not known."""
    return _with(share(found.metrics[measure]), quality_range(found, measure))


def quality_range(found: Measured, measure: str) -> str:
    """The interval of a headline; empty where it is not known."""
    interval = found.interval_of(measure)
    return "" if interval is None else " to ".join(map(share, interval))


def error_value(name: str, value: float) -> str:
    """An error with its unit, if it has one."""
    return f"{value:.4g}" if name == "perplexity" else f"{value:.4g} in the unit of the values"


def cut_answers(found: Measured) -> str | None:
    """How many answers were cut; ``None``: none was."""
    number = found.cut_answers
    return f"{counted(number, 'answers')} cut at max_new_tokens: they had no end" if number else None


def points(value: float) -> str:
    """``−1.25 points``: a difference of shares."""
    return change(value, digits=2).replace("%", " points")


def difference(found: Difference) -> str:
    """``−1.25 points (−2.60 to +0.10)``."""
    return _with(points(found.value), difference_range(found))


def difference_range(found: Difference) -> str:
    """The interval of a difference, in points."""
    return " to ".join(change(end, digits=2).replace("%", "") for end in found.interval)


def verdict(found: Difference, own: str = "this plan") -> str:
    """Which of two models is better, if that was measured."""
    if not found.is_measured:
        return NO_DIFFERENCE
    return f"{own} is {'better' if found.value > 0 else 'worse'}"


def latency_change(timing: Timing) -> str:
    """Against the original model: ``−20.0% (−21.9% to −18.2%)``, and whether that is no difference."""
    return ", ".join(filter(None, [_with(change(timing.ratio - 1), latency_range(timing)), latency_verdict(timing)]))


def latency_verdict(timing: Timing) -> str:
    """That no difference to the original model was measured; empty where one was, or no interval was recorded."""
    low, high = timing.ratio_interval or (0.0, 0.0)
    return NO_DIFFERENCE if low <= 1 <= high else ""


def latency_range(timing: Timing) -> str:
    """The interval of the change; empty where it was not recorded."""
    return " to ".join(change(end - 1) for end in timing.ratio_interval or ())


def latency_times(slim: Timing, original: Timing) -> str:
    """``8.00 ms instead of 10.0 ms, 30 rounds``."""
    rounds = "" if slim.rounds is None else f", {slim.rounds} rounds"
    return f"{milliseconds(slim.median_s)} instead of {milliseconds(original.median_s)}{rounds}"


def busy_batches(batches: Mapping[str, Mapping[str, Timing]]) -> str | None:
    """That the times of some batch sizes cannot be trusted; ``None`` if those of all can."""
    spreads = {batch: busy_spread(timings.values()) for batch, timings in batches.items()}
    wide = [f"batch {batch}: {spread:.0%}" for batch, spread in spreads.items() if spread is not None]
    return f"{BUSY} (10% to 90% of the rounds spread, of their median, {'; '.join(wide)})" if wide else None


def left_out(batches: Mapping[str, float], setting: str = "bench.repeats") -> str | None:
    """Which batch sizes were not timed and why, from the seconds of a round; ``None`` if all were.

    ``setting`` is what would have them timed all the same.
    """
    told = "; ".join(f"batch {batch}: about {duration(seconds)} a round" for batch, seconds in batches.items())
    return f"not timed, it would take too long ({told}); give {setting} to time it" if told else None


def timing_warnings(latency: Latency) -> list[str]:
    """What to know before one trusts the times of a run: what was left out, too few rounds, a busy machine."""
    few = sorted(
        {timing.rounds for timings in latency.batches.values() for timing in timings.values() if timing.rounds}
    )
    told = [left_out(latency.left_out), too_few(few[0]) if few else None, busy_batches(latency.batches)]
    return [line for line in told if line is not None]


def too_few(rounds: int) -> str | None:
    """That an interval says little; ``None`` if there were enough rounds."""
    return f"{rounds} rounds are too few for a 95% interval, {FEWEST} are needed" if rounds < FEWEST else None


def _with(value: str, between: str) -> str:
    return f"{value} ({between})" if between else value
