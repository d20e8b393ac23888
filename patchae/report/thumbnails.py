"""Images of a page, small and within the page itself."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from patchae.images import MAX_PIXELS

if TYPE_CHECKING:
    from PIL import Image


def thumbnail(path: Path, side: int, quality: int, white: int | None = None) -> str | None:
    """An image as a data URI; None for a file that is damaged or too large: nothing to see.

    Args:
        path: the file.
        side: of the picture at most, in pixels.
        quality: of the JPEG, 0 to 100.
        white: value that counts as white in a 16-bit file, as a model has it; None: each such file
            goes from its own black to its own white.
    """
    from patchae.images.learned import opened

    try:
        with opened(path) as image:
            if image.width * image.height > MAX_PIXELS:
                return None
            wide = image.mode.startswith("I;16")
            small = _levelled(image, white) if wide else image.convert("RGB")
            small.thumbnail((side, side))
            content = BytesIO()
            small.save(content, "JPEG", quality=quality)
    except Exception:  # noqa: BLE001 - a damaged file is no reason to have no page
        return None
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode()


def _levelled(image: Image.Image, white: int | None) -> Image.Image:
    """A 16-bit image in 8 bits."""
    import numpy as np
    from PIL import Image

    pixels = np.asarray(image).astype(np.float32)
    low, high = (0.0, float(white)) if white else (float(pixels.min()), float(pixels.max()))
    scaled = (pixels - low) / max(high - low, 1) * 255
    return Image.fromarray(scaled.clip(0, 255).astype(np.uint8))
