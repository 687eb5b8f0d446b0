"""The figures of the report card for which there are data."""

from __future__ import annotations

from .plots import latency_plot, losses_plot, preferences_plot, rounds_plot
from .results import Results
from .wording import pass_name


def figures(results: Results) -> list[tuple[str, str]]:
    """Titles and images, the latter as ``data:`` addresses."""
    plan, history = results.plan, results.history
    found = []
    if plan is not None and any((plan.preferences or {}).values()):
        found.append(("Preferences at the end of the search", preferences_plot(plan)))
    if plan is not None and plan.rounds:
        found.append(("Preferences during the search", rounds_plot(plan)))
    if history.search or history.train:
        continued = results.recipe is not None and results.recipe.start == "search"
        found.append(("Loss during search and training", losses_plot(history, continued)))
    if results.latency is not None and results.latency.batches:
        found.append((f"{pass_name(results).capitalize()}, with 10% to 90% of the runs", latency_plot(results.latency)))
    return found
