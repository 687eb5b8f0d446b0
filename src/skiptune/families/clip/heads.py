"""CLIP with the heads of tasks, on transformers' ``CLIPModel``: a checkpoint's weights have the same names."""

from __future__ import annotations

from transformers import CLIPModel

from ..dual_encoder.contrastive import InfoNceHead
from ..dual_encoder.joint import JointOrImageHead, JointTowers
from ..two_stream_classifiers import QuestionAnsweringHead, VisualEntailmentHead, VisualReasoningHead


class ClipForImageAndTextRetrieval(InfoNceHead, CLIPModel):
    """Image-text retrieval by the similarity of the towers' vectors, as in pre-training."""


class ClipTask(JointTowers, CLIPModel):
    """CLIP as the body of a model with a head on both vectors."""

    @property
    def pooled_width(self) -> int:
        """Of what ``fuse`` pools."""
        return 3 * int(self.config.projection_dim)


class ClipForQuestionAnswering(QuestionAnsweringHead, ClipTask):
    """A classifier over ``config.num_labels`` answers, with soft scores."""


class ClipForVisualEntailment(VisualEntailmentHead, ClipTask):
    """A classifier over ``config.num_labels`` classes, three for SNLI-VE."""


class ClipForClassification(JointOrImageHead, ClipTask):
    """A classifier over ``config.num_labels`` classes of one or several labels, or one number.

    With ``config.reads_text`` false of images alone.
    """


class ClipForVisualReasoning(VisualReasoningHead, ClipTask):
    """NLVR2: is a statement true of two images?"""
