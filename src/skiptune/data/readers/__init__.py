"""One file a format: from published or own files to records."""
