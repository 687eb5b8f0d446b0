"""``llava-scenes``: a LLaVA that learns to answer questions about generated scenes and to describe them."""
