"""The report card of a run: results, plots, pages."""
