"""``skiptune compare``: methods side by side; each training is a process of its own that writes a result file."""
