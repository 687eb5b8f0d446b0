"""``python -m skiptune.cli``."""

from .main import main

main()
