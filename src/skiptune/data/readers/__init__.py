"""One file per format, each with a reader that turns files into records."""
