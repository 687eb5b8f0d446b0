"""Pre-train ``meter-photos``: METER on photographs with captions and generated scenes, resumable, on CPU or GPU."""

from __future__ import annotations

import copy
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch
from transformers import BertTokenizer, set_seed
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from ...core.files import write_atomically, write_json
from ...families.meter import MeterForImageAndTextRetrieval, MeterProcessor
from ..finished import finished_report
from .heldout_scores import Scores, score
from .initial_weights import (
    copy_image_weights,
    copy_text_weights,
    draw_weights,
    read_image_weights,
    read_text_weights,
)
from .meter_for_pretraining import MeterForPretraining
from .photo_config import PhotoConfig
from .training_data import prepare, read_captions
from .training_loop import Training
from .trunk_features import MEAN, SPREAD
from .word_pieces import choose_pieces, make_tokenizer, words_of

_TEXT_HEADS = 12


class PhotosReport(Scores):
    """The content of ``pretraining.json``: scores on held-out photos, training time in seconds, sizes, history."""

    steps: int
    seconds: int
    photos: int
    captions: int
    config: dict[str, object]
    history: list[dict[str, float]]


def pretrain_photos(
    config: PhotoConfig, output: Path, photos: Path, images: Path, heldout: Path, words: tuple[Path, ...] = ()
) -> PhotosReport:
    """Train, score on held-out photos, and write the model to ``output/final``.

    Run again on the same ``output``, it resumes; if ``minutes`` is less than the training time so far, it only scores
    and writes the model.

    Args:
        config: sizes of the model and of its training.
        output: directory for features of the images, checkpoints and the model.
        photos, heldout: JSON-lines files of images with captions; only the first is trained on.
        images: the folder of both files' images.
        words: further JSON-lines files whose words the vocabulary keeps; nothing else of them is used.

    Raises:
        InputError: files that cannot be read, or packages with initial weights that are not installed.
    """
    final = output / "final"
    report: PhotosReport | None = finished_report(final, asdict(config))
    if report is not None:
        return report
    set_seed(config.seed)
    text_weights, pieces = read_text_weights()
    records, others = read_captions(photos, images), read_captions(heldout, images)
    texts = [text for path in (photos, *words) for text in words_of(path)]
    kept = choose_pieces(pieces, texts, config.pieces)
    tokenizer = make_tokenizer(pieces, kept, config.text_length)
    model = make_model(config, text_weights, kept)
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    data = prepare(config, tokenizer, model.stem.trunk.eval(), records, others, output / "features")
    training = Training(model, config, data, output)
    training.run("photos")
    report = {
        **score(model, data),
        "steps": training.step,
        "seconds": round(training.seconds),
        "photos": len(records),
        "captions": sum(len(record.captions) for record in records),
        "config": asdict(config),
        "history": training.history,
    }
    write_atomically(final, partial(_save, model, tokenizer, report))
    return report


def make_model(config: PhotoConfig, text_weights: dict[str, torch.Tensor], kept: list[int]) -> MeterForPretraining:
    """The model with its initial weights."""
    text_width = text_weights["embeddings.word_embeddings.weight"].shape[1]
    text_mlp = len(text_weights["encoder.layer.0.intermediate.dense.weight"])
    own = config.model_config(len(kept), text_width, _TEXT_HEADS, text_mlp)
    model = MeterForPretraining(own)
    draw_weights(model)
    copy_text_weights(model.meter, text_weights, kept)
    copy_image_weights(model.stem, read_image_weights())
    return model


def _save(model: MeterForPretraining, tokenizer: BertTokenizer, report: PhotosReport, folder: Path) -> None:
    """Save a retrieval model in float16; its ranking head is the difference of "match" and "no match"."""
    own = copy.deepcopy(model.meter.config)
    own.matching_loss, own.contrast_scale = True, round(model.contrast_scale.item(), 3)
    kept = MeterForImageAndTextRetrieval(own)
    kept.meter.load_state_dict(model.meter.state_dict())
    assert kept.matching is not None
    with torch.no_grad():
        weight, bias = model.matching.weight.cpu(), model.matching.bias.cpu()
        kept.matching.weight.copy_(weight)
        kept.matching.bias.copy_(bias)
        kept.rank_output.weight.copy_(weight[1:] - weight[:1])
        kept.rank_output.bias.copy_(bias[1:] - bias[:1])
    kept.to(torch.float16).save_pretrained(folder)
    side = own.image_size
    pictures = CLIPImageProcessorPil(
        size={"height": side, "width": side}, do_center_crop=False, image_mean=[MEAN] * 3, image_std=[SPREAD] * 3
    )
    MeterProcessor(pictures, tokenizer).save_pretrained(folder)
    write_json(folder / "pretraining.json", report)
