"""Heat maps as pictures: the image as the model saw it, and beside it where the model looks.

Colours mean the same in every picture of one model: the middle of the scale is its threshold, so
that a warm patch is one that alone would raise an alarm.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

_CAPTION_PX = 16


def heat_map(source: Path, anomaly: np.ndarray, threshold: float, white: int) -> bytes:
    """PNG of an image beside its heat map, 2 S x S pixels.

    Args:
        source: the image file.
        anomaly: its anomaly map (S, S), in the units of the score.
        threshold: where the scale has its middle.
        white: value that counts as white in a 16-bit file, as the model has it.
    """
    return _png(_pair(source, anomaly, threshold, white))


def sheet(pictures: Sequence[tuple[str, bytes]], columns: int = 2) -> bytes:
    """One PNG of several heat maps under their captions."""
    from PIL import Image, ImageDraw

    opened = [(caption, Image.open(BytesIO(png))) for caption, png in pictures]
    width = max((picture.width for _, picture in opened), default=1)
    height = max((picture.height for _, picture in opened), default=1) + _CAPTION_PX
    rows = -(-len(opened) // columns)
    page = Image.new("RGB", (width * columns, max(1, height * rows)), "white")
    draw = ImageDraw.Draw(page)
    for index, (caption, picture) in enumerate(opened):
        left, top = index % columns * width, index // columns * height
        draw.text((left + 3, top + 2), caption, fill="black")
        page.paste(picture, (left, top + _CAPTION_PX))
    return _png(page)


def _pair(source: Path, anomaly: np.ndarray, threshold: float, white: int) -> Image.Image:
    import numpy as np
    from PIL import Image

    from patchae.evidence.overlay import overlay
    from patchae.model.images import load

    image = load(source, anomaly.shape[0], white).permute(1, 2, 0).numpy()  # (S, S, 3) uint8
    return Image.fromarray(np.concatenate([image, overlay(image, anomaly, threshold)], axis=1))


def _png(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
