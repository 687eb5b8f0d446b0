"""``meter-photos``: a METER pre-trained on photographs with captions."""
