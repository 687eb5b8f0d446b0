"""``vilt-scenes``: a ViLT pre-trained from random weights on generated scenes with captions."""
