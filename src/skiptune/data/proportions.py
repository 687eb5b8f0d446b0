"""Long and narrow pictures, of which an image processor would leave nothing, or make something huge."""

from __future__ import annotations

from typing import Any

from PIL import Image

#: The longer side that ViLT's and BridgeTower's processors allow, for a shorter one of 800 pixels.
_LONGER, _SHORTER = 1333, 800
#: How many squares of a picture are kept, of which the middle one is cropped.
_SQUARES = 16


def in_proportion(image: Image.Image, image_processor: Any) -> Image.Image:
    """The picture, changed if it is too long and narrow for an image processor.

    ViLT's and BridgeTower's processors limit the longer side and round both sides down to whole patches, which leaves
    no patch of a narrow side: such a picture is resized to one patch by as many as may be. METER's can resize the
    shorter side and crop the middle square: of a very long picture only the middle is resized.
    """
    edge = getattr(image_processor.size, "shortest_edge", None)
    if not edge or not image_processor.do_resize:
        return image
    short, long = sorted(image.size)
    patch = getattr(image_processor, "size_divisor", None)
    if patch:
        longest = int(_LONGER / _SHORTER * edge)
        if int(longest * short / long + 0.5) < patch:
            sides = (max(patch, longest // patch * patch), patch)
            return image.resize(sides if image.width > image.height else sides[::-1], Image.Resampling.BICUBIC)
    elif getattr(image_processor, "do_center_crop", False) and long > _SQUARES * short:
        cut = (long - _SQUARES * short) // 2
        return image.crop((cut, 0, long - cut, short) if image.width == long else (0, cut, short, long - cut))
    return image
