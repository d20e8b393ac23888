"""Ledgers in files."""

from __future__ import annotations

from tests.support.registry.fixtures import ledger, new_place, place

__all__ = ["ledger", "new_place", "place"]
