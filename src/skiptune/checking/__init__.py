"""The data doctor: what is wrong with data before a training learns from it."""
