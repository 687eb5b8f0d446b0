"""The weights of ``meter-photos``, for research only; :mod:`skiptune` finds them by the name of this package."""
