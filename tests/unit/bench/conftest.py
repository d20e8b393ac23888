"""A tiny class on disk."""

from __future__ import annotations

from tests.support.bench.fixtures import bolt, plant

__all__ = ["bolt", "plant"]
