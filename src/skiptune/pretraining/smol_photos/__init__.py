"""``smol-photos``: SmolLM2 behind the image encoder of ``meter-photos``, joined as LLaVA joins them."""
