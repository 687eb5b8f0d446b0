"""``python -m skiptune``."""

from .cli import main

main()
