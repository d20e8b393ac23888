"""A version to audit, and a trained class."""

from __future__ import annotations

from tests.support.lineage.fixtures import honest
from tests.support.trained import small

__all__ = ["honest", "small"]
