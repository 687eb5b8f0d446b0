"""The package's version: one place, read by the build."""

__version__ = "0.4.0.dev0"
