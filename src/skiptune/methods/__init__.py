"""Methods of tuning a model: full tuning, parameter-efficient methods, and skipping; one file for each kind of
method."""
