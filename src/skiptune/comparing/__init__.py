"""``skiptune compare``: methods side by side, each training a process of its own that leaves a file."""
