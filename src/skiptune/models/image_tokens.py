"""Whether a processor writes as many tokens for an image as the model has."""

from __future__ import annotations

from typing import Any

from ..core.validation import Problems, shortened


def refuse_other_images(whole: Any, config: Any, subject: str) -> None:
    """Refuse a processor whose images or image tokens are not those of the model.

    Args:
        whole: transformers' processor.
        config: the model's.
        subject: what messages begin with.

    Raises:
        InputError: names every setting with its value, and the model's.
    """
    problems = Problems(f"{subject}: its image settings are not the model's")
    for part in (whole, whole.image_processor):
        for name, expected in _expected(config).items():
            value = getattr(part, name, None)
            fine = value is None or expected is None or value == expected
            problems.check(fine, f"{name}: {shortened(repr(value))} in {type(part).__name__}, the model has {expected}")
    tokenizer, token = whole.tokenizer, config.image_token_id
    known = len(tokenizer) > token and tokenizer.convert_ids_to_tokens(token)
    own = {getattr(whole, "image_token_id", token), *getattr(whole, "image_token_ids", ())}
    problems.check(
        token in own and known,
        f"image_token: the tokenizer's has number {whole.image_token_id}, the model's is {token} ({known or 'none'})",
    )
    problems.raise_any()


def _expected(config: Any) -> dict[str, Any]:
    """Settings by the names that processors have, as the model has them; ``None``: it tells nothing about one."""
    vision = config.vision_config
    patch, side = _side(getattr(vision, "patch_size", None)), _side(getattr(vision, "image_size", None))
    merged = getattr(vision, "spatial_merge_size", None)
    found = {
        "vision_feature_select_strategy": getattr(config, "vision_feature_select_strategy", None),
        "merge_size": merged,
        "temporal_patch_size": getattr(vision, "temporal_patch_size", None),
    }
    if merged is not None or config.model_type.startswith("llava"):
        found["patch_size"] = patch
    if patch and side:
        whole = (side // patch) ** 2
        ratio = getattr(config, "downsample_ratio", 1)
        found["num_image_tokens"] = whole
        found["image_seq_len"] = whole // getattr(config, "scale_factor", 1) ** 2
        found["image_seq_length"] = getattr(config, "mm_tokens_per_image", None) or int(whole * ratio**2)
    return found


def _side(value: Any) -> int | None:
    return value if isinstance(value, int) or value is None else int(value[0])
