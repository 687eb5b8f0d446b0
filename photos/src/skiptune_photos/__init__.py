"""The weights of ``meter-photos`` and ``smol-photos``, for research only.

:mod:`skiptune` finds them by the name of this package.
"""
