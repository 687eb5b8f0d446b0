"""SigLIP with the heads of tasks, on transformers' ``SiglipModel``: a checkpoint's weights have the same names."""

from __future__ import annotations

from transformers import SiglipModel

from ..dual_encoder.contrastive import SigmoidHead
from ..dual_encoder.joint import JointOrImageHead, JointTowers
from ..two_stream_classifiers import QuestionAnsweringHead, VisualEntailmentHead, VisualReasoningHead


class SiglipForImageAndTextRetrieval(SigmoidHead, SiglipModel):
    """Image-text retrieval by the similarity of the towers' vectors, as in pre-training."""


class SiglipTask(JointTowers, SiglipModel):
    """SigLIP as the body of a model with a head on both vectors."""

    @property
    def pooled_width(self) -> int:
        """Of what ``fuse`` pools."""
        return 3 * int(self.config.vision_config.hidden_size)


class SiglipForQuestionAnswering(QuestionAnsweringHead, SiglipTask):
    """A classifier over ``config.num_labels`` answers, with soft scores."""


class SiglipForVisualEntailment(VisualEntailmentHead, SiglipTask):
    """A classifier over ``config.num_labels`` classes, three for SNLI-VE."""


class SiglipForClassification(JointOrImageHead, SiglipTask):
    """A classifier over ``config.num_labels`` classes of one or several labels, or one number.

    With ``config.reads_text`` false of images alone.
    """


class SiglipForVisualReasoning(VisualReasoningHead, SiglipTask):
    """NLVR2: is a statement true of two images?"""
