"""Four small product classes, rendered: the whole product works before there are any photos.

`washer`, `tablet` and `mesh` can be inspected well; `seal` is hard on purpose. Every image is
computed from whole numbers alone and is the same to the last bit on every machine, system and
version of Python and numpy; a test pins the digest of them all.

From the bottom up: `fixedpoint` (geometry), `draws` (chance), `light` (relief, lamp, camera),
`stamp` (letters), `product` (flaws and masks), one module per product, `png`, `rendering` (files).
"""

from __future__ import annotations

from patchae.dataset.sample.rendering import CLASSES, render

__all__ = ["CLASSES", "render"]
