"""The report card of a run: what it says, its plots, its pages."""
