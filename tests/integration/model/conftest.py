"""A trained class, and where the real images are."""

from __future__ import annotations

from tests.support.trained import real_images, small

__all__ = ["real_images", "small"]
