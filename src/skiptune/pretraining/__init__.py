"""How the embedded models were made. Not a part of the library: only ``skiptune pretrain`` imports this folder.

- :mod:`.pretrain`: chooses one of the recipes and checks its options.
- :mod:`.scenes`: ``vilt-scenes``. Scenes of coloured shapes are generated together with captions that are known to be
  true or false; a small ViLT learns masked-language modelling (MLM) and image-text matching (ITM) on them, from random
  weights.
- :mod:`.photos`: ``meter-photos``. A small METER learns image-text contrast, ITM and MLM on photographs with captions;
  its encoders start from MiniLM and EfficientNet-Lite0.
- :mod:`.chats`: ``llava-scenes``. A small LLaVA, whose image tower starts from ``vilt-scenes``, learns to answer
  questions about generated scenes and to describe them.

All write ``pretraining.json`` beside the weights, with the configuration and the results on held-out data. All resume
when they are started again on the same folder.
"""
