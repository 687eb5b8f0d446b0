"""What models with two towers share that meet only in a similarity: CLIP, SigLIP."""
