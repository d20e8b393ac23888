"""Projects to tidy."""

from __future__ import annotations

from tests.support.retention.fixtures import far, s3, shop

__all__ = ["far", "s3", "shop"]
