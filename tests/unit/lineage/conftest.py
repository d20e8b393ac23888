"""Versions to audit and to tamper with."""

from __future__ import annotations

from tests.support.lineage.fixtures import built, honest, made, proven, proven_once

__all__ = ["built", "honest", "made", "proven", "proven_once"]
