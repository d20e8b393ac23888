"""A version to audit, and a trained class."""

from __future__ import annotations

from tests.lineage.fixtures import honest
from tests.model.trained import small

__all__ = ["honest", "small"]
